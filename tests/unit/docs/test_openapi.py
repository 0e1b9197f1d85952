"""docs/openapi.json describes the HTTP API as it is: its paths, what it takes, what it answers."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from pipeline.handlers.api.paths import PATHS, UPLOAD_PATHS
from pipeline.ingress.routes import OPENAPI_PATH, SEND_PREFIX
from tests.support.doc_blocks import DOCS
from tests.support.send_api import JPEG, QUOTAS, TEXT, USER, Caller, File, api
from tests.unit.handlers.api.test_send_api_paths import CASES
from tests.unit.handlers.api.test_send_api_uploads import MP4, OGG, PDF, WEBP
from tools.openapi.examples import EXAMPLES

API: dict[str, Any] = orjson.loads((DOCS / "openapi.json").read_bytes())
SCHEMAS: dict[str, Any] = API["components"]["schemas"]
NOT_FOR_CALLERS = {
    "/webhooks/cloud": "the providers call it",
    "/webhooks/cloud/": "the same",
    "/webhooks/{provider}/{tenant}": "the providers call it",
    "/webhooks/{provider}/{tenant}/": "the same",
    "/healthz": "the platform asks it",
    "/readyz": "the platform asks it",
    "/metrics": "the monitoring asks it",
    "/{anything}": "404",
}
"""The paths of the ingress that no system calls to send something."""
FILES = {"send-image": JPEG, "send-video": MP4, "send-audio": OGG, "send-document": PDF, "send-sticker": WEBP}
VALUES = {"boolean": "true", "number": "60"}
"""A field of a form as a text, by its type; any other is a word."""


def run(test: Callable[[Caller], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with api(**options) as caller:
            await test(caller)

    asyncio.run(main())


def operation(path: str) -> dict[str, Any]:
    found: dict[str, Any] = API["paths"][f"{SEND_PREFIX}{path}"]["post"]
    return found


def errors(schema: dict[str, Any], value: object) -> list[str]:
    """What a schema of the description has against a value."""
    validator = Draft202012Validator(schema | {"components": API["components"]})
    return [each.message for each in validator.iter_errors(value)]


def body_errors(path: str, body: object) -> list[str]:
    return errors(operation(path)["requestBody"]["content"]["application/json"]["schema"], body)


def answer_errors(status: int, answer: object) -> list[str]:
    return errors(API["components"]["responses"][str(status)]["content"]["application/json"]["schema"], answer)


def test_it_is_openapi() -> None:
    """A generator of clients would refuse it."""
    assert [error.message for error in OpenAPIV31SpecValidator(API).iter_errors()] == []
    broken = copy.deepcopy(API)
    del broken["components"]["responses"]["200"]["description"]
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_it_has_every_path_that_the_ingress_serves_to_callers() -> None:
    """A new path would be described to nobody, or a path be described that is gone."""

    async def test(caller: Caller) -> None:
        app = caller.client.app
        assert isinstance(app, web.Application)
        described = {(method.upper(), path) for path, methods in API["paths"].items() for method in methods}
        served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
        for method, shape in served:
            if shape not in NOT_FOR_CALLERS:
                pattern = re.sub(r"{\w+}", "[^/]+", shape)
                assert {verb for verb, path in described if re.fullmatch(pattern, path)} == {method}, shape
        assert NOT_FOR_CALLERS.keys() <= {shape for _, shape in served}
        assert {path for method, path in described if method == "POST"} == {SEND_PREFIX + path for path in PATHS}
        for method, path in described:
            async with caller.client.request(method, path, json={}) as response:
                assert response.status == 401, "it is served, and wants a key"

    run(test)


def test_a_holder_of_a_key_gets_it_from_the_ingress() -> None:
    """Tools would need a copy, of whichever version; and anybody could ask what runs here."""

    async def test(caller: Caller) -> None:
        for key, status in (("acme-old", 200), ("nobodys", 401), ("", 401)):
            headers = {"Authorization": f"Bearer {key}"}
            async with caller.client.get(OPENAPI_PATH, headers=headers) as response:
                assert (response.status, response.content_type) == (status, "application/json")
                if status == 200:
                    assert await response.json() == API

    run(test)


@pytest.mark.parametrize("path", PATHS)
def test_its_examples_are_sent(path: str) -> None:
    """The first thing that somebody copies would be refused."""

    async def test(caller: Caller) -> None:
        content = operation(path)["requestBody"]["content"]["application/json"]
        assert content["example"] == EXAMPLES[path]
        assert body_errors(path, content["example"]) == []
        status, answer = await caller.post(path, content["example"])
        assert (status, answer["error"]) == (200, None)
        assert answer_errors(200, answer) == []

    run(test)


@pytest.mark.parametrize(("path", "payload"), [each[:2] for each in CASES])
def test_what_the_api_takes_is_described(path: str, payload: dict[str, Any]) -> None:
    """A client that was generated from it could not send what another system sends."""
    assert body_errors(path, {"recipient": USER} | payload) == []


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (TEXT, {"txt": "hi"}),
        (TEXT, {"text": 5}),
        (TEXT, {"priority": "urgent"}),
        (TEXT, {"recipient": None}),
        ("interactive/send-buttons", {"buttons": "yes"}),
        ("interactive/send-buttons", {"buttons": [{"id": "yes"}]}),
        ("interactive/send-list", {"sections": [{"title": "Teas"}]}),
        ("specialized/send-contact", {"contact": {"name": {"formatted_name": "Ana"}}}),
        ("templates/send-text", {"body_parameters": [5]}),
    ],
)
def test_what_the_api_refuses_for_its_shape_is_not_described(path: str, change: dict[str, Any]) -> None:
    """A check before the call would pass, and the call be refused."""

    async def test(caller: Caller) -> None:
        body = EXAMPLES[path] | change
        assert body_errors(path, body)
        status, answer = await caller.post(path, body)
        assert status in {400, 422} and not answer["success"]
        assert answer_errors(status, answer) == []

    run(test)


@pytest.mark.parametrize("path", sorted(UPLOAD_PATHS))
def test_every_field_of_a_form_is_taken(path: str) -> None:
    """A field of the form would be refused for being a text, as all fields of forms are."""

    async def test(caller: Caller) -> None:
        name = operation(path)["requestBody"]["content"]["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
        fields = {
            field: USER if field == "recipient" else schema.get("default") or VALUES.get(schema["type"], "word")
            for field, schema in SCHEMAS[name]["properties"].items()
        }
        assert "media_source" in fields.keys() & set(SCHEMAS[name]["required"])
        texts = {field: str(value).lower() for field, value in fields.items() if field != "media_source"}
        file: File = FILES[path.partition("/")[2]]
        status, answer = await caller.upload(path, texts, file)
        assert (status, answer["error"]) == (200, None)
        assert answer_errors(200, answer) == []

    run(test)


async def _bad_json(caller: Caller) -> tuple[int, Any]:
    return await caller.post(body=b"{")


async def _no_such_account(caller: Caller) -> tuple[int, Any]:
    return await caller.post(X_Inbox_ID="nobodys")


async def _no_key(caller: Caller) -> tuple[int, Any]:
    return await caller.post(key=None)


async def _reused_key(caller: Caller) -> tuple[int, Any]:
    await caller.post(Idempotency_Key="17")
    return await caller.post(body={"recipient": USER, "text": "another"}, Idempotency_Key="17")


async def _large_body(caller: Caller) -> tuple[int, Any]:
    return await caller.post(body=b" " * 20_000)


async def _large_file(caller: Caller) -> tuple[int, Any]:
    return await caller.upload("media/send-image", {"recipient": USER}, File(bytes(6 * 1024 * 1024)))


async def _no_json(caller: Caller) -> tuple[int, Any]:
    return await caller.post(Content_Type="text/plain")


async def _refused(caller: Caller) -> tuple[int, Any]:
    return await caller.post(body={"recipient": USER, "text": ""})


async def _over_quota(caller: Caller) -> tuple[int, Any]:
    await caller.post()
    return await caller.post()


async def _broker_away(caller: Caller) -> tuple[int, Any]:
    caller.publisher.away = True
    return await caller.post()


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (_bad_json, 400),
        (_no_such_account, 400),
        (_no_key, 401),
        (_reused_key, 409),
        (_large_body, 413),
        (_large_file, 413),
        (_no_json, 415),
        (_refused, 422),
        (_over_quota, 429),
        (_broker_away, 503),
    ],
)
def test_every_answer_is_as_described(ask: Callable[[Caller], Awaitable[tuple[int, Any]]], status: int) -> None:
    """A client would fail at the answer that it needs most: the one that says what went wrong."""

    async def test(caller: Caller) -> None:
        got, answer = await ask(caller)
        assert got == status
        assert answer_errors(status, answer) == []
        described = API["components"]["responses"][str(status)]
        assert ("Retry-After" in described.get("headers", {})) == ("Retry-After" in caller.headers)
        assert all(str(status) in operation(path)["responses"] for path in PATHS)

    once = QUOTAS._replace(rate=0.001, burst=2.0)
    run(test, **({"quotas": once} if ask is _over_quota else {}))


def test_every_field_says_what_it_is() -> None:
    """Readers would guess from a name."""
    silent = [
        f"{name}.{field}"
        for name, schema in SCHEMAS.items()
        if name.endswith(("Body", "Form", "Result")) or name.startswith("Template")
        for field, content in schema["properties"].items()
        if not content.get("description")
    ]
    assert silent == []
    assert all(schema.get("description") for name, schema in SCHEMAS.items() if name != "Error")
