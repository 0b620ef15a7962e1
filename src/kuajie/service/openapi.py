"""The OpenAPI 3.1 document, made from the table of routes."""

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

import kuajie
from kuajie.core.ids import LONGEST_ID
from kuajie.service import push
from kuajie.service.routes import JSON, Route
from kuajie.service.wire import MOST_ITEMS, Failure, Verdicts
from kuajie.workflows.list_ids import LONGEST as LONGEST_LIST_ID

REF = "#/components/schemas/{name}"
REFUSALS = {
    "400": "the request is wrong",
    "401": "there is no key, or it opens nothing",
    "403": "the key does not open this",
    "404": "there is no such thing",
    "405": "with such an id the path is another one, which takes other methods",
    "408": "the body did not arrive in time",
    "413": "the body is too long",
    "415": "the body is not JSON by its type",
    "422": "no row was right",
    "429": "the key asks too often",
    "503": "try again; nothing is acknowledged",
}
WITHOUT_BODY = {"408", "413", "415", "422"}
HEADERS = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    "429": {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}},
    "503": {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}},
}
IDS = {"event_id", "exposure_id", "domain", "user", "item", "target", "head", "relation", "tail"}
TIMES = {"occurred_at", "changed_at", "expires_at"}
QUERY = {
    "k": {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 10},
    "seconds": {"type": "integer", "minimum": 0, "maximum": push.MOST_SECONDS, "default": push.SECONDS},
}
LIST = "$response.body#/list_id"
FIRST = "$response.body#/items/0/item"
ASKER = {"domain": "$request.body#/domain", "user": "$request.body#/user"}
LINKS: dict[str, dict[str, dict[str, Any]]] = {
    "recommend": {
        "Seen": {
            "operationId": "exposures",
            "requestBody": {"exposures": [{"exposure_id": "x-1", "list_id": LIST, "position": 0}]},
        },
        "Answered": {
            "operationId": "feedback",
            "requestBody": {
                "feedback": [
                    {"event_id": "f-1", "list_id": LIST, "exposure_id": "x-1", "item": FIRST, "kind": "click"},
                ]
            },
        },
        "Alike": {
            "operationId": "similar_items",
            "parameters": {"domain": "$response.body#/target", "id": FIRST},
        },
        "Explained": {"operationId": "why", "parameters": {"id": LIST, "item": FIRST}},
        "Known": {"operationId": "profile", "parameters": {"domain": ASKER["domain"], "id": ASKER["user"]}},
    },
    "events": {
        "Asked": {
            "operationId": "recommend",
            "requestBody": {**ASKER, "target": "$request.body#/domain"},
        },
        "Known": {"operationId": "profile", "parameters": {"domain": ASKER["domain"], "id": ASKER["user"]}},
    },
}
"""What an answer is good for: the way of one behaviour event, from the list to what became of it."""


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document."""
    kinds: list[type] = [*dict.fromkeys(kind for route in routes for kind in (*route.request, route.response)), Failure]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    sent = msgspec.json.schema_components(dict.fromkeys(kind for route in routes for kind in route.request))[1]
    for name, component in components.items():
        _precise(component, sent=name in sent)
    of: dict[type, Any] = dict(zip(kinds, schemas, strict=True))
    known = {route.name for route in routes}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kuajie",
            "version": kuajie.__version__,
            "description": "Events in, recommendations across domains out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _precise(schema: dict[str, Any], *, sent: bool) -> None:
    """Say of ids and times what their type alone does not; descriptions without the indentation of the code.

    Ids that callers send are never empty; in answers they are, where there is none or the reader may not know it.
    """
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])
    for name, field in schema.get("properties", {}).items():
        for text in _texts(field):
            if name in TIMES:
                text["format"] = "date-time"
            elif name in IDS or name == "list_id":
                text["maxLength"] = LONGEST_LIST_ID if name == "list_id" else LONGEST_ID
                if sent and field.get("default") != "":
                    text["minLength"] = 1


def _texts(field: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (each for each in (field, *field.get("anyOf", ())) if each.get("type") == "string" and "enum" not in each)


def _operation(route: Route, of: dict[type, Any], known: set[str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "security": [{"key": []}] if route.scope else [],
        "responses": {"200": _answered(route, of[route.response])},
    }
    if route.scope:
        operation["x-scope"] = route.scope
        refusals = REFUSALS if route.request else {k: v for k, v in REFUSALS.items() if k not in WITHOUT_BODY}
        for status, meaning in refusals.items():
            if (status == "422" and route.response is not Verdicts) or (status == "405" and "{" not in route.path):
                continue
            schema = of[route.response] if status == "422" else of[Failure]
            operation["responses"][status] = _content(meaning, schema, HEADERS.get(status))
    elif route.name == "ready":
        operation["responses"]["503"] = _content("it is being stopped", of[route.response])
    links = {name: link for name, link in LINKS.get(route.name, {}).items() if link["operationId"] in known}
    if links:
        operation["responses"]["200"]["links"] = links
    if route.request:
        schemas = [of[kind] for kind in route.request]
        content = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, "example": route.example}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    longest = LONGEST_LIST_ID if route.path.startswith("/v1/lists/") else LONGEST_ID
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": longest},
        }
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    parameters += [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": what,
            "schema": QUERY.get(name, {"type": "string"}),
        }
        for name, what in route.query
    ]
    if parameters:
        operation["parameters"] = parameters
    return operation


def _answered(route: Route, schema: object) -> dict[str, Any]:
    """What was asked for: once, or in the data of each event of a stream."""
    if route.media == JSON:
        return _content("what was asked for", schema)
    told = {
        "event": {"const": "list"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
        "data": {"type": "string", "contentMediaType": JSON, "contentSchema": schema},
    }
    event = {"type": "object", "required": ["event", "data"], "properties": told}
    return {"description": "what was asked for, event by event", "content": {route.media: {"schema": event}}}


def _content(meaning: str, schema: object, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    media = "text/plain" if schema == {"type": "string"} else JSON
    content: dict[str, Any] = {"description": meaning, "content": {media: {"schema": schema}}}
    return {**content, "headers": headers} if headers else content
