"""The application: who may, how much, in which order; and every failure as one sentence of JSON."""

import logging
import math
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from kuajie.core.errors import KuajieError, StoreError
from kuajie.core.hosts import LOOPBACK
from kuajie.core.ids import CONTROL
from kuajie.core.language import translator
from kuajie.core.texts import Text
from kuajie.service.background import background
from kuajie.service.bodies import checked, read_body
from kuajie.service.calls import Call, Service
from kuajie.service.connections import most_connections
from kuajie.service.credentials import token_of
from kuajie.service.observing import Observer, seen
from kuajie.service.openapi import document
from kuajie.service.overload import Gate
from kuajie.service.pages import page_routes
from kuajie.service.refusals import (
    Refusal,
    no_key,
    not_allowed,
    not_found,
    not_stored,
    too_busy,
    too_many,
    too_many_strangers,
    wrong,
)
from kuajie.service.routes import ROUTES, Route
from kuajie.service.streams import PushResponse
from kuajie.service.this_machine import host_of, is_from_here
from kuajie.service.upkeep import upkeep_of
from kuajie.service.wire import Failure
from kuajie.workflows.access import Caller

log = logging.getLogger("kuajie.service")
FOR_EVENTS = 0.2
"""Share of the places that only events may take when the service is busy."""
MOST_LANGUAGES = 200
"""Characters of the header that are read."""
QUALITY = r"\s*;\s*q\s*=\s*(?P<quality>0(?:\.\d{0,3})?|1(?:\.0{0,3})?)"
LIKED = re.compile(rf"(?P<language>zh|en)(?:-[a-z0-9-]*)?(?:{QUALITY})?")
UNSHOWN = re.compile(rf"{CONTROL}|[\u202a-\u202e\u2066-\u2069]")
Endpoint = Callable[[Request], Awaitable[Response]]
NOBODY = Caller("", frozenset(), frozenset())


def make_app(service: Service, routes: Sequence[Route] = ROUTES) -> Starlette:
    """The ASGI application over a service; it watches the store and the model while it runs, and closes them."""
    limits = service.workspace.config.service
    gate = Gate(
        header_seconds=limits.header_seconds,
        body_seconds=limits.body_seconds,
        most_connections=most_connections(limits.most_connections),
        noted=lambda: service.metrics.refused("busy"),
    )
    gate.know(routes)
    helpers = background(service)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[dict[str, object]]:
        watcher = threading.Thread(target=service.watch, name="kuajie-watcher", daemon=True)
        loader = threading.Thread(target=service.watch_models, name="kuajie-loader", daemon=True)
        threads = [watcher, loader, upkeep_of(service), *helpers]
        for thread in threads:
            thread.start()
        yield {"gate": gate}
        service.draining = True
        service.stopped.set()
        for thread in threads:
            thread.join(5)
        service.close()

    described = msgspec.json.encode(document(routes))

    async def openapi(_: Request) -> Response:
        return Response(described, media_type="application/json")

    endpoints = {
        (str(route.method), path): endpoint
        for route in routes
        for endpoint in [_endpoint(service, route)]
        for path in (route.path, *route.aliases)
    }
    table: list[BaseRoute] = [Exact(endpoints)]
    table += [
        StarletteRoute(path.replace("{id}", "{id:path}"), endpoint, methods=[method])
        for (method, path), endpoint in endpoints.items()
    ]
    table.append(StarletteRoute("/openapi.json", openapi, methods=["GET"]))
    table += page_routes(service)
    table.append(StarletteRoute("/v1/{path:path}", _preflight(service), methods=["OPTIONS"]))
    observer = Middleware(Observer, service.metrics, service.log, service.tracing)
    refusing = {HTTPException: _no_route(service)}
    app = Starlette(routes=table, lifespan=life, middleware=[observer], exception_handlers=refusing)
    app.router.redirect_slashes = False
    return app


class Exact(BaseRoute):
    """Paths without parameters, found at once: most requests go to a few of them."""

    def __init__(self, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self._endpoints = endpoints

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether path and method are one of them."""
        endpoint = self._endpoints.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        return (Match.NONE, {}) if endpoint is None else (Match.FULL, {"endpoint": endpoint, "path_params": {}})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        response = await scope["endpoint"](Request(scope, receive, send))
        await response(scope, receive, send)


def _endpoint(service: Service, route: Route) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        language = language_of_request(service, request)
        service.at_work += 1
        noted = seen()
        noted.route = route.path
        origin = request.headers.get("origin")
        caller: Caller | None = None
        try:
            _make_way(service, route)
            caller = await _caller(service, route, request)
            noted.organisation, noted.key_id = caller.organisation, caller.key_id
            body, values = b"", None
            if route.request:
                body = await read_body(request, service.workspace.config.service.body_seconds)
                values = checked(body)
            call = Call(service, caller, request.path_params, request.query_params, body, values, language)
            reply = await route.handler(call)
            if isinstance(reply, PushResponse):
                return reply.for_origin(origin)
            if isinstance(reply.content, Response):
                return reply.content
            return Json(reply.content, reply.status, origin)
        except Refusal as refusal:
            forbidden = caller is None and refusal.status == 403  # this page may not even read why
            return said(refusal, language, None if forbidden else origin)
        except StoreError as error:
            return said(not_stored(error), language, origin)
        except KuajieError as error:
            return said(wrong(error.text), language, origin)
        except Exception:
            log.exception("%s %s failed", route.method, route.path)
            fault = Refusal(500, Text("the service has a fault"), Text("Tell its operators; its log says more."))
            return said(fault, language, origin)
        finally:
            service.at_work -= 1

    return endpoint


def _make_way(service: Service, route: Route) -> None:
    """Refuse what is too much; health always answers, events go before everything else.

    Raises:
        Refusal: too many requests are being answered.
    """
    most = service.workspace.config.service.most_at_once
    if route.scope is None:
        return
    if service.at_work > (most if route.scope == "events" else math.ceil(most * (1 - FOR_EVENTS))):
        raise too_busy()


async def _caller(service: Service, route: Route, request: Request) -> Caller:
    """Who calls, if they may.

    Raises:
        Refusal: they may not.
    """
    if route.scope is None:
        return await _curious(service, route, request)
    header = request.headers.get("authorization")
    if header is None and service.demo:
        _refuse_strangers(request)
        return _with_scope(service.demo_caller, route)
    token = token_of(header or "")
    if not token:
        raise no_key()
    now = service.clock()
    known, caller = service.doorkeeper.known(token, now, stale=service.tail.failing)
    if not known:
        wait = 0.0 if service.doorkeeper.has_met(token) else service.strangers.take("")
        if wait:
            raise too_many_strangers(wait)
        caller = await service.ask(service.doorkeeper.ask, token, now)
    if caller is None:
        raise no_key()
    wait = service.bucket.take(caller.key_id)
    if wait:
        raise too_many(wait)
    _with_scope(caller, route)
    if caller.publishable and request.headers.get("origin") not in caller.origins:
        raise not_allowed(Text("this key may not be used on this page"))
    return caller


async def _curious(service: Service, route: Route, request: Request) -> Caller:
    """Who asks what everybody may ask; they are known where they may be told more."""
    if route.more is None or not (service.demo or "authorization" in request.headers):
        return NOBODY
    try:
        return await _caller(service, replace(route, scope=route.more), request)
    except Refusal:
        return NOBODY


def _with_scope(caller: Caller, route: Route) -> Caller:
    """The caller, if they may.

    Raises:
        Refusal: they may not.
    """
    if route.scope not in caller.scopes or (caller.publishable and not route.publishable):
        raise not_allowed(Text("this key may not: it lacks the scope '{scope}'", scope=route.scope))
    return caller


def _refuse_strangers(request: Request) -> None:
    """In demo mode only this machine may ask, and no page of another site through its browser.

    Raises:
        Refusal: it is somebody else.
    """
    origin = request.headers.get("origin")
    if not is_from_here(request) or (origin is not None and host_of(origin) not in LOOPBACK):
        raise not_allowed(Text("demo mode answers this machine alone, at 127.0.0.1"))


def _preflight(service: Service) -> Endpoint:
    """What browsers ask before a page may ask. The key decides; it comes with the question itself."""

    async def preflight(request: Request) -> Response:
        if service.demo and host_of(request.headers.get("origin", "")) not in LOOPBACK:
            return Response(status_code=403)
        headers = {
            "Access-Control-Allow-Origin": request.headers.get("origin", "null"),
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type, accept-language, x-request-id",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        }
        return Response(status_code=204, headers=headers)

    return preflight


def _no_route(service: Service) -> Callable[[Request, Exception], Response]:
    def no_route(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        language = language_of_request(service, request)
        takes: Mapping[str, str] = getattr(error, "headers", None) or {}
        if status == 405 and takes.get("Allow") != "OPTIONS":  # browsers may ask anywhere
            what = Text("this path does not take {method}", method=request.method[:20])
            response = said(Refusal(405, what, Text("/openapi.json lists what it takes.")), language)
            response.headers.update(takes)  # Allow
            return response
        return said(not_found(Text("there is nothing at this path")), language)

    return no_route


def language_of_request(service: Service, request: Request) -> str:
    """The language that the caller likes best of those that kuajie speaks, else the workspace's."""
    liked = _liked(request.headers.get("accept-language", "")[:MOST_LANGUAGES])
    return liked or service.workspace.config.workspace.language or "en"


@lru_cache(1_000)
def _liked(header: str) -> str:
    """The language of the highest quality, of several the first; empty where there is none."""
    best, liked = 0.0, ""
    for part in header.lower().split(","):
        found = LIKED.fullmatch(part.strip())
        quality = float(found["quality"] or 1) if found else 0.0
        if found and quality > best:
            best, liked = quality, found["language"]
    return liked


def said(refusal: Refusal, language: str, origin: str | None = None) -> Response:
    """A refusal as JSON."""
    translate = translator(language)
    noted = seen()
    noted.refused = refusal.reason
    error, do = _plain(refusal.error.say(translate)), _plain(refusal.do.say(translate))
    failure = Failure(error=error, do=do, request_id=noted.request_id)
    response = Json(failure, refusal.status, origin)
    if refusal.wait is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(refusal.wait)))
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if refusal.status in {408, 413}:
        response.headers["Connection"] = "close"
    return response


class Json(Response):
    """JSON with the headers that every answer carries; Starlette's own way of making headers takes longer."""

    def __init__(self, content: msgspec.Struct, status: int, origin: str | None) -> None:
        self.status_code = status
        self.body = ENCODER.encode(content)
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), *ALWAYS]
        if origin is not None:
            allowed = origin.encode("latin-1")
            self.raw_headers += [(b"access-control-allow-origin", allowed), *TO_PAGES]


ENCODER = msgspec.json.Encoder()
TO_PAGES = ((b"access-control-expose-headers", b"Retry-After, X-Request-Id"), (b"vary", b"Origin"))
ALWAYS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


def _plain(text: str) -> str:
    """What somebody sent is quoted without half surrogate pairs, control characters and turns of direction."""
    return UNSHOWN.sub("\ufffd", text.encode("utf-8", "replace").decode("utf-8"))
