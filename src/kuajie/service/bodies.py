"""Bodies: bounded in size, time and depth; strict UTF-8 and strict JSON, so that everybody reads the same in them."""

import asyncio
import json
import re
from typing import Any, NoReturn, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from kuajie.core.texts import Text
from kuajie.service.refusals import Refusal, wrong

T = TypeVar("T")
MOST_BYTES = 1 << 20
DEEPEST = 32
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_PLACE = re.compile(r" - at `\$?\.?(.*)`$")


async def read_body(request: Request, seconds: float) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is too long, too slow, or no JSON by its type.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(
            415,
            Text("the body must be JSON"),
            Text("Send the header 'Content-Type: application/json'."),
        )
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > MOST_BYTES:
        raise too_long()
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    raise too_long()
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, Text("the body did not arrive in time"), Text("Send it faster, or in parts.")) from None
    except ClientDisconnect:
        raise wrong(Text("the body is not whole")) from None
    return b"".join(parts)


def too_long() -> Refusal:
    """A body above the limit."""
    return Refusal(
        413, Text("the body is longer than {most} bytes", most=MOST_BYTES), Text("Send fewer rows in each request.")
    )


def checked(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """The values of a body, after everything that JSON leaves open was refused.

    Raises:
        Refusal: not UTF-8, not JSON, nested too deeply, a key twice, a number that is none, half a surrogate pair.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise wrong(Text("the body is not UTF-8 at byte {place}", place=error.start)) from None
    if body.count(b"{") + body.count(b"[") > DEEPEST and _depth(text) > DEEPEST:
        raise wrong(Text("the body is nested more than {most} levels deep", most=DEEPEST))
    try:
        return STRICT.decode(text)
    except json.JSONDecodeError as error:
        raise wrong(Text("the body is not JSON at character {place}", place=error.pos)) from None
    except RecursionError:
        raise wrong(Text("the body is nested more than {most} levels deep", most=DEEPEST)) from None
    except ValueError:
        raise wrong(Text("the body holds a number that is too long")) from None


def decoded(body: bytes, kind: type[T]) -> T:
    """A body as a struct.

    Raises:
        Refusal: it is not one.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unfit(str(error)) from None


def unfit(problem: str) -> Refusal:
    """A body that is JSON, but not what was expected; `problem` as msgspec says it."""
    place = _PLACE.search(problem)
    if place is None:
        return wrong(Text("the body is not as expected ({problem})", problem=problem[:200]))
    said = problem[: place.start()][:200]
    return wrong(Text("the field '{field}' is not as expected ({problem})", field=place[1][:100], problem=said))


def _depth(text: str) -> int:
    depth = deepest = 0
    for mark in _BRACKETS.findall(text):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong(
            Text("the body names '{field}' twice", field=twice[:100].encode("utf-8", "replace").decode("utf-8"))
        )
    return values


def _no_number(name: str) -> NoReturn:
    raise wrong(Text("the body holds {name}, which is not JSON", name=name))


STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
