"""Schemathesis reads the OpenAPI document and asks whatever it allows and does not, one by one and along its links.

Every answer must be of a documented status, type and schema, and none a fault. Rows of a batch are judged one by one,
so a wrong one among good ones is answered 200; that alone is why "wrong data is refused" is not checked of batches.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as specified

from kuajie.core.records import Organisation
from kuajie.service import push
from kuajie.service.app import make_app
from kuajie.service.calls import Service
from kuajie.service.openapi import document
from kuajie.service.routes import ROUTES
from kuajie.workflows.access import SCOPES, TokenBucket
from kuajie.workflows.keys import new_key
from kuajie.workflows.workspace import Workspace

from .conftest import NOW, Running, with_memory

CHECKS = [
    checks.not_a_server_error,
    specified.status_code_conformance,
    specified.content_type_conformance,
    specified.response_headers_conformance,
    specified.response_schema_conformance,
    specified.unsupported_method,
    specified.ignored_auth,
]
QUICK, FULL = 3, 150
DOMAINS = ("courses", "car")
NAMES = ["0007", "0011", "车7", "课1", "🚗1", "新人"]


def precise(routes: Any = ROUTES) -> dict[str, Any]:
    """The document, with the domains and some names of this world, so that requests reach what is behind the checks."""
    described = document(routes)
    for schema in described["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if name in {"domain", "target"} and field.get("type") == "string" and schema["title"] in ASKED:
                field["examples"] = DOMAINS
                field["enum"] = [*DOMAINS, "没有"]
            elif name in {"user", "item"} and field.get("type") == "string" and schema["title"] in ASKED:
                field["anyOf"] = [{"enum": NAMES}, {"maxLength": 128}]
    return described


ASKED = {"Event", "RecommendRequest", "Account", "Item", "Triple", "Link"}


@dataclass(frozen=True)
class Asked:
    """A schema and what to check it with."""

    schema: Any
    service: Service

    def check(self, case: Any) -> None:
        case.call_and_validate(checks=CHECKS)


@pytest.fixture
def asked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """A service that wants keys; the organisation owns both domains. Streams end after their first list."""
    monkeypatch.setattr(push, "MOST_SECONDS", 0)
    service = with_memory(workspace)
    service.bucket = TokenBucket(1e9, time.monotonic)
    access = service.store.access
    access.put_organisation(Organisation(organisation_id="两边", name="两边", created_at=NOW, domains=DOMAINS))
    token, key = new_key("两边", "secret", NOW, scopes=SCOPES)
    access.add_key(key)
    schema = schemathesis.openapi.from_dict(precise(), config=configured(token))
    schema.app = make_app(service)
    yield Asked(schema, service)
    service.close()


def configured(token: str) -> Any:
    return schemathesis.config.SchemathesisConfig.from_dict(
        {"base-url": "http://127.0.0.1", "headers": {"Authorization": f"Bearer {token}"}}
    )


def told(examples: int, phases: tuple[Phase, ...] = (Phase.explicit, Phase.generate)) -> settings:
    """The same examples every time, since a test that fails must fail again."""
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, phases=phases,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def every_operation(asked: Asked, examples: int) -> None:
    seen = Counter[int]()
    names = set()
    for found in asked.schema.get_all_operations():
        operation = found.ok()
        names.add(operation.definition.raw["operationId"])
        by_row = "422" in operation.definition.raw["responses"]
        wanted = CHECKS if by_row else [*CHECKS, specified.negative_data_rejection]
        nothing_to_get_wrong = "{" not in operation.path and not operation.body
        for mode in [GenerationMode.POSITIVE] if nothing_to_get_wrong else GenerationMode:

            @told(examples)
            @given(case=operation.as_strategy(generation_mode=mode))
            def one(wanted: list[Any], case: Any) -> None:
                seen[case.call_and_validate(checks=wanted).status_code] += 1

            one(wanted)
    assert names == {route.name for route in ROUTES}
    assert seen[200] > examples, "what is behind the checks was reached"
    assert seen[400] > examples


def test_every_operation_answers_as_the_document_says(asked: Asked) -> None:
    every_operation(asked, QUICK)


@pytest.mark.slow
def test_every_operation_answers_as_the_document_says_at_length(asked: Asked) -> None:
    every_operation(asked, FULL)


def along_the_links(asked: Asked, examples: int) -> None:
    machine = asked.schema.as_state_machine()
    reached = Counter[str]()

    class Way(machine):  # type: ignore[misc, valid-type]
        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)
            reached[f"{case.operation.definition.raw['operationId']} {response.status_code}"] += 1

    run_state_machine_as_test(Way, settings=settings(told(examples), stateful_step_count=6))
    assert reached["recommend 200"]
    assert sum(count for way, count in reached.items() if way.endswith(" 200")) > examples


def found(value: Any, request: Any, response: Any) -> Any:
    """A value of a link with its expressions replaced by what they name."""
    if isinstance(value, dict):
        return {name: found(inner, request, response) for name, inner in value.items()}
    if isinstance(value, list):
        return [found(inner, request, response) for inner in value]
    if not (isinstance(value, str) and value.startswith("$")):
        return value
    place, _, pointer = value.partition("#/")
    inner = request if place == "$request.body" else response
    for part in pointer.split("/"):
        inner = inner[int(part) if isinstance(inner, list) else part]
    return inner


def test_every_link_is_answered(fast: Running) -> None:
    """Of a list that has items, and of an event that was stored."""
    described = document(ROUTES)
    operations = {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    first = {
        "recommend": {"domain": "courses", "user": "0007", "target": "car", "k": 3},
        "events": {"event_id": "1", "domain": "courses", "user": "0007", "item": "课1", "kind": "view"},
    }
    followed = 0
    for name, (method, path, operation) in operations.items():
        links = operation["responses"]["200"].get("links", {})
        if not links:
            continue
        response = fast.ask(method, path, first[name]).json()
        for link in links.values():
            verb, where, _ = operations[link["operationId"]]
            given = found(link.get("parameters", {}), first[name], response)
            for parameter in [each for each in given if f"{{{each}}}" in where]:
                where = where.replace(f"{{{parameter}}}", quote(given.pop(parameter), safe=""))
            answer = fast.ask(
                verb, f"{where}?{urlencode(given)}", found(link.get("requestBody"), first[name], response)
            )
            assert answer.status_code == 200, (name, link, answer.text)
            followed += 1
    assert followed >= 6


def test_the_links_lead_somewhere(asked: Asked) -> None:
    along_the_links(asked, 6 * QUICK)


@pytest.mark.slow
def test_the_links_lead_somewhere_at_length(asked: Asked) -> None:
    along_the_links(asked, FULL)
