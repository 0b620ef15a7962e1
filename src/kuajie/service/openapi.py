"""The OpenAPI 3.1 document, made from the table of routes."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

import kuajie
from kuajie.service.routes import JSON, Route
from kuajie.service.wire import Failure

REF = "#/components/schemas/{name}"
REFUSALS = {
    "400": "the request is wrong",
    "401": "there is no key, or it opens nothing",
    "403": "the key does not open this",
    "404": "there is no such thing",
    "408": "the body did not arrive in time",
    "413": "the body is too long",
    "415": "the body is not JSON by its type",
    "422": "no row was right",
    "429": "the key asks too often",
    "503": "try again; nothing is acknowledged",
}
WITHOUT_BODY = {"408", "413", "415", "422"}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document."""
    kinds: list[type] = [*dict.fromkeys(kind for route in routes for kind in (*route.request, route.response)), Failure]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    of: dict[type, Any] = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of)
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


def _operation(route: Route, of: dict[type, Any]) -> dict[str, Any]:
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
            schema = of[route.response] if status == "422" else of[Failure]
            operation["responses"][status] = _content(meaning, schema)
    elif route.name == "ready":
        operation["responses"]["503"] = _content("it is being stopped", of[route.response])
    if route.request:
        schemas = [of[kind] for kind in route.request]
        content = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, "example": route.example}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": what, "schema": {"type": "string"}}
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


def _content(meaning: str, schema: object) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}
