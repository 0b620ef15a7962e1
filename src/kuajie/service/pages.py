"""Files for browsers: the placement widget for everybody, the demo page for this machine in demo mode."""

import base64
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kuajie.service.demo import world
from kuajie.service.this_machine import is_from_here
from kuajie.service.wire import Wire

if TYPE_CHECKING:
    from kuajie.service.calls import Service

Endpoint = Callable[[Request], Awaitable[Response]]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KINDS = {"js": "text/javascript", "css": "text/css", "html": "text/html"}
FOREVER, ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"
ANY_PAGE = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
WIDGET = "kj-slot.js"
DEMO_FILES = ("demo.html", "demo.css", "demo.js")


class WidgetFile(Wire, frozen=True):
    """Where the widget is now, and what a page may demand of it."""

    src: str
    integrity: str


@dataclass(frozen=True)
class File:
    """A file of this package, as it is sent."""

    name: str
    plain: bytes
    packed: bytes

    @property
    def digest(self) -> str:
        """Of its content, short."""
        return hashlib.sha256(self.plain).hexdigest()[:16]

    @property
    def integrity(self) -> str:
        """For the attribute `integrity` of a page."""
        return "sha384-" + base64.b64encode(hashlib.sha384(self.plain).digest()).decode()

    @property
    def path(self) -> str:
        """With the digest in it: what is there never changes."""
        stem, _, ending = self.name.rpartition(".")
        return f"/widget/{stem}.{self.digest}.{ending}"


@cache
def file(name: str) -> File:
    """Read a file once."""
    plain = files("kuajie.service").joinpath("static", name).read_bytes()
    return File(name, plain, gzip.compress(plain, 9, mtime=0))


def page_routes(service: "Service") -> list[Route]:
    """Everything here that is not JSON for programs."""

    def demo_only(answer: Endpoint) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            if service.demo and is_from_here(request):
                return await answer(request)
            return Response(status_code=404)

        return endpoint

    async def demo_world(request: Request) -> Response:
        language = request.query_params.get("lang", "")
        language = language if language in {"zh", "en"} else service.workspace.config.workspace.language or "zh"
        content = await service.ask(world, service.workspace, service.deployment.now, language)
        return Response(msgspec.json.encode(content), media_type="application/json", headers=_headers("no-store"))

    def demo_file(name: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return sent(request, name, ASK_AGAIN, {"Content-Security-Policy": POLICY})

        return endpoint

    return [
        Route("/widget/kj-slot.json", _where, methods=["GET"]),
        Route(f"/widget/{WIDGET}", _newest, methods=["GET"]),
        Route("/widget/kj-slot.{digest}.js", _exact, methods=["GET"]),
        Route("/demo", demo_only(demo_file("demo.html")), methods=["GET"]),
        Route("/demo/world.json", demo_only(demo_world), methods=["GET"]),
        *(Route(f"/demo/{name}", demo_only(demo_file(name)), methods=["GET"]) for name in DEMO_FILES[1:]),
    ]


async def _where(_: Request) -> Response:
    """For pages that are built: the address with its hash, and the hash that a browser checks."""
    content = WidgetFile(src=file(WIDGET).path, integrity=file(WIDGET).integrity)
    headers = {**_headers(ASK_AGAIN), **ANY_PAGE}
    return Response(msgspec.json.encode(content), media_type="application/json", headers=headers)


async def _newest(_: Request) -> Response:
    """For pages that do not know the hash."""
    return RedirectResponse(file(WIDGET).path, 302, {**_headers(ASK_AGAIN), **ANY_PAGE})


async def _exact(request: Request) -> Response:
    """What never changes; pages that know an older one are led to the newest."""
    if request.path_params["digest"] != file(WIDGET).digest:
        return await _newest(request)
    return sent(request, WIDGET, FOREVER, ANY_PAGE)


def sent(request: Request, name: str, caching: str, headers: dict[str, str]) -> Response:
    """A file, packed where the browser takes that, not at all where it has it."""
    found = file(name)
    tag = f'"{found.digest}"'
    headers = {**_headers(caching), **headers, "ETag": tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    body = found.plain
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = found.packed, "gzip"
    return Response(body, media_type=KINDS[name.rpartition(".")[2]], headers=headers)


def _headers(caching: str) -> dict[str, str]:
    return {"Cache-Control": caching, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
