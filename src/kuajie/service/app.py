"""The application: who may, how much, in which order; and every failure as one sentence of JSON."""

import logging
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from kuajie.core.errors import KuajieError, StoreError
from kuajie.core.language import translator
from kuajie.core.texts import Text
from kuajie.service.background import background
from kuajie.service.bodies import checked, read_body
from kuajie.service.calls import Call, Service
from kuajie.service.credentials import token_of
from kuajie.service.openapi import document
from kuajie.service.refusals import (
    Refusal,
    no_key,
    not_allowed,
    not_found,
    not_stored,
    too_busy,
    too_many,
    wrong,
)
from kuajie.service.routes import ROUTES, Route
from kuajie.service.wire import Failure
from kuajie.workflows.access import Caller

log = logging.getLogger("kuajie.service")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
FOR_EVENTS = 0.2
"""Share of the places that only events may take when the service is busy."""
NOBODY = Caller("", frozenset(), frozenset())


def make_app(service: Service, routes: Sequence[Route] = ROUTES) -> Starlette:
    """The ASGI application over a service; it watches the store and the model while it runs, and closes them."""
    helpers = background(service)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        watcher = threading.Thread(target=service.watch, name="kuajie-watcher", daemon=True)
        threads = [watcher, *helpers]
        for thread in threads:
            thread.start()
        yield
        service.draining = True
        service.stopped.set()
        for thread in threads:
            thread.join(5)
        service.close()

    described = msgspec.json.encode(document(routes))

    async def openapi(_: Request) -> Response:
        return Response(described, media_type="application/json")

    table = [
        StarletteRoute(path.replace("{id}", "{id:path}"), _endpoint(service, route), methods=[route.method])
        for route in routes
        for path in (route.path, *route.aliases)
    ]
    table.append(StarletteRoute("/openapi.json", openapi, methods=["GET"]))
    table.append(StarletteRoute("/v1/{path:path}", _preflight(service), methods=["OPTIONS"]))
    app = Starlette(routes=table, lifespan=life, exception_handlers={HTTPException: _no_route(service)})
    app.router.redirect_slashes = False
    return app


def _endpoint(service: Service, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        language = language_of_request(service, request)
        service.at_work += 1
        origin: str | None = None
        try:
            _make_way(service, route)
            caller = await _caller(service, route, request)
            origin = request.headers.get("origin")
            body, values = b"", None
            if route.request:
                body = await read_body(request, service.workspace.config.service.body_seconds)
                values = checked(body)
            call = Call(service, caller, request.path_params, request.query_params, body, values, language)
            reply = await route.handler(call)
            return _json(reply.content, reply.status, origin)
        except Refusal as refusal:
            return said(refusal, language, origin)
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
        return NOBODY
    header = request.headers.get("authorization")
    if header is None and service.demo:
        _refuse_strangers(request)
        return service.demo_caller
    token = token_of(header or "")
    if not token:
        raise no_key()
    now = service.clock()
    known, caller = service.doorkeeper.known(token, now, stale=service.tail.failing)
    if not known:
        caller = await service.ask(service.doorkeeper.ask, token, now)
    if caller is None:
        raise no_key()
    wait = service.bucket.take(caller.key_id)
    if wait:
        raise too_many(wait)
    if route.scope not in caller.scopes or (caller.publishable and not route.publishable):
        raise not_allowed(Text("this key may not: it lacks the scope '{scope}'", scope=route.scope))
    if caller.publishable and request.headers.get("origin") not in caller.origins:
        raise not_allowed(Text("this key may not be used on this page"))
    return caller


def _refuse_strangers(request: Request) -> None:
    """In demo mode only this machine may ask, and no page of another site through its browser.

    Raises:
        Refusal: it is somebody else.
    """
    origin = request.headers.get("origin")
    names = [_host(f"//{request.headers.get('host', '')}")]
    if origin is not None:
        names.append(_host(origin))
    if any(name not in LOOPBACK for name in names):
        raise not_allowed(Text("demo mode answers this machine alone, at 127.0.0.1"))


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _preflight(service: Service) -> Callable[[Request], Awaitable[Response]]:
    """What browsers ask before a page may ask. The key decides; it comes with the question itself."""

    async def preflight(request: Request) -> Response:
        if service.demo and _host(request.headers.get("origin", "")) not in LOOPBACK:
            return Response(status_code=403)
        headers = {
            "Access-Control-Allow-Origin": request.headers.get("origin", "null"),
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type, accept-language",
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        }
        return Response(status_code=204, headers=headers)

    return preflight


def _no_route(service: Service) -> Callable[[Request, Exception], Response]:
    def no_route(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        language = language_of_request(service, request)
        if status == 405:
            what = Text("this path does not take {method}", method=request.method[:20])
            return said(Refusal(405, what, Text("/openapi.json lists what it takes.")), language)
        return said(not_found(Text("there is nothing at this path")), language)

    return no_route


def language_of_request(service: Service, request: Request) -> str:
    """The first language that the caller prefers and kuajie speaks, else the workspace's."""
    for part in request.headers.get("accept-language", "").split(",")[:10]:
        spoken = part.partition(";")[0].strip().lower().partition("-")[0]
        if spoken in {"zh", "en"}:
            return spoken
    return service.workspace.config.workspace.language or "en"


def said(refusal: Refusal, language: str, origin: str | None = None) -> Response:
    """A refusal as JSON."""
    translate = translator(language)
    failure = Failure(error=_plain(refusal.error.say(translate)), do=_plain(refusal.do.say(translate)))
    response = _json(failure, refusal.status, origin)
    if refusal.wait is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(refusal.wait)))
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if refusal.status in {408, 413}:
        response.headers["Connection"] = "close"
    return response


def _json(content: msgspec.Struct, status: int, origin: str | None) -> Response:
    response = Response(msgspec.json.encode(content), status, media_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"
    return response


def _plain(text: str) -> str:
    """Half surrogate pairs cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
