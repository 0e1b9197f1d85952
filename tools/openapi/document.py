"""`docs/openapi.json`: the HTTP API in OpenAPI 3.1, made from the models of its bodies and the messenger's methods.

The ingress serves a copy, `pipeline/ingress/openapi.json`: a process that takes webhooks need not make it. Descriptions
are docstrings: the first paragraph of a model, its `Attributes`, the first paragraph of a method.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from textwrap import dedent
from typing import Any, Final, get_type_hints

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from pipeline import __version__
from pipeline.handlers import IMessenger
from pipeline.handlers.api import bodies
from pipeline.handlers.api.bodies import MEDIUM, SendBody
from pipeline.handlers.api.paths import PATHS, UPLOAD_PATHS, ApiMethod
from pipeline.handlers.outbound import contacts, models
from pipeline.handlers.results import SendResult
from pipeline.ingress.responses import BODIES, RETRY_SECONDS
from pipeline.ingress.routes import OPENAPI_PATH, SEND_PREFIX
from pipeline.ingress.send_errors import DERIVED
from pipeline.ingress.send_form import FORM_TYPE
from pipeline.ingress.send_headers import ACCOUNT_HEADERS, KEY_HEADER, MAX_KEY_LENGTH
from pipeline.topics.events import PlatformType
from tools.openapi.examples import EXAMPLES

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{model}"
_ABOUT: Final = """\
Sends of other systems, with the pipeline's guarantees: once, in the order of the conversation, within the number's
limits. A 200 means that the send is queued, and not that it is delivered: statuses and `commands.outcomes` say that.
docs/send-api.md has the limits, quotas and keys."""
_TAGS: Final = {
    "messages": "Texts and read marks.",
    "media": "Images, videos, audio, documents and stickers.",
    "interactive": "Messages with something to tap.",
    "templates": "Messages that Meta has approved beforehand.",
    "specialized": "Places and contact cards.",
}
_ANSWERS: Final = {
    "200": "The broker has the send. `message_id` is the command's id.",
    "400": "Not sent: the headers, the JSON or the form are wrong.",
    "401": "There is no API key, or a wrong one.",
    "409": f"Not sent: the `{KEY_HEADER}` belongs to another send (`KEY_REUSED`).",
    "413": "Not sent: the file or the body is too large.",
    "415": "Not sent: the body is neither JSON nor, with a file, a form.",
    "422": "Not sent: the messenger refuses it; `error` and `error_code` say why.",
    "429": "Not sent: a quota is used up (`RATE_LIMITED`). Ask again with the same key.",
    "503": "Not taken. Ask again with the same key.",
}
_RESULTS: Final = frozenset({"200", "409", "422", "429"})
"""Answers that are always a `SendResult`."""
_EITHER: Final = frozenset({"400", "413"})
"""Answers that are a `SendResult` where the request could be read that far."""
_DOCUMENTED: Final = {
    kind.__name__: kind
    for module in (bodies, contacts, models)
    for kind in vars(module).values()
    if inspect.isclass(kind) and kind.__module__ == module.__name__
}


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def text() -> str:
    """Return `docs/openapi.json`."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n"


def packed() -> str:
    """Return the copy that the ingress serves."""
    return orjson.dumps(document()).decode() + "\n"


@cache
def document() -> Json:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "WhatsApp Pipeline: sends over HTTP",
            "description": _ABOUT,
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The ingress; `http://127.0.0.1:8080` on `make run`."}],
        "security": [{"apiKey": []}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": {f"{SEND_PREFIX}{path}": {"post": _send(path, call)} for path, call in PATHS.items()}
        | {OPENAPI_PATH: {"get": _own()}},
        "components": {
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "A key of `api_keys` of the tenant."}
            },
            "parameters": _parameters(),
            "responses": {status: _response(status, about) for status, about in _ANSWERS.items()},
            "schemas": _schemas(),
        },
    }


def _send(path: str, call: ApiMethod) -> Json:
    about = _paragraphs(getattr(IMessenger, call.method))[0]
    summary, _, rest = about.partition(". ")
    reference = {"$ref": _REF.format(model=call.body.__name__)}
    content: Json = {"application/json": {"schema": reference, "example": EXAMPLES[path]}}
    if path in UPLOAD_PATHS:
        content[FORM_TYPE] = {"schema": {"$ref": _REF.format(model=_form_name(call.body))}}
    return {
        "tags": [path.partition("/")[0]],
        "operationId": call.method,
        "summary": summary.rstrip(".") + ".",
        **({"description": rest} if rest else {}),
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in _parameters()],
        "requestBody": {"required": True, "content": content},
        "responses": {status: {"$ref": f"#/components/responses/{status}"} for status in _ANSWERS},
    }


def _own() -> Json:
    described = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "openapi",
        "summary": "Return this description.",
        "responses": {
            "200": {"description": "The description, in OpenAPI 3.1.", "content": described},
            "401": {"$ref": "#/components/responses/401"},
        },
    }


def _parameters() -> Json:
    key = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -~]+$"}
    about = "All requests with one key of one tenant are one send, for seven days."
    named = "The sending account: its id, or `provider:id`. Needed where the tenant has several."
    return {KEY_HEADER: _header(KEY_HEADER, about, key)} | {
        name: _header(name, named if name == ACCOUNT_HEADERS[0] else f"The same as `{ACCOUNT_HEADERS[0]}`.")
        for name in ACCOUNT_HEADERS
    }


def _header(name: str, about: str, schema: Mapping[str, Any] | None = None) -> Json:
    return {"name": name, "in": "header", "description": about, "schema": schema or {"type": "string"}}


def _response(status: str, about: str) -> Json:
    result, error = ({"$ref": _REF.format(model=name)} for name in ("SendResult", "Error"))
    schema = result if status in _RESULTS else {"anyOf": [result, error]} if status in _EITHER else error
    made: Json = {"description": about, "content": {"application/json": {"schema": schema}}}
    if status in {"429", "503"}:
        wait = {"type": "integer", "minimum": 1, "example": int(RETRY_SECONDS)}
        made["headers"] = {"Retry-After": {"description": "Seconds until you may ask again.", "schema": wait}}
    return made


def _schemas() -> Json:
    sends = sorted({call.body for call in PATHS.values()}, key=lambda kind: kind.__name__)
    kinds: list[Any] = [(kind, "validation") for kind in sends]
    _, made = models_json_schema(kinds, ref_template=_REF, schema_generator=_Untitled)
    found: Json = {name: _described(name, schema) for name, schema in made["$defs"].items()}
    found |= {
        _form_name(kind): _form(kind, found[kind.__name__]) for kind in sends if issubclass(kind, bodies.MediaBody)
    }
    return found | {"SendResult": _result(), "Error": _error()}


def _described(name: str, schema: Json) -> Json:
    """Return a schema with the descriptions of its docstring. A subclass has those of its bases, too."""
    kind = _DOCUMENTED[name]
    known = {field: about for base in reversed(kind.__mro__) for field, about in _attributes(base)}
    for field, content in schema.get("properties", {}).items():
        if field in known:
            content["description"] = known[field]
    schema.pop("title", None)  # the name of the model, which the schema has already
    return schema | {"description": _paragraphs(kind)[0]}


def _form_name(kind: type[SendBody]) -> str:
    return kind.__name__.removesuffix("Body") + "Form"


def _form(kind: type[SendBody], schema: Json) -> Json:
    """Return the form of a medium. Its fields are texts, so it has no lists; an empty field is no null."""
    file = {"type": "string", "contentMediaType": "application/octet-stream", "description": "The file."}
    fields = {name: _plain(each) for name, each in schema["properties"].items()}
    scalar = {name: each for name, each in fields.items() if each and each.get("type") != "array"}
    return schema | {"properties": scalar | {MEDIUM: file}, "description": f"{_paragraphs(kind)[0]} With its file."}


def _plain(schema: Json) -> Json | None:
    """Return a field's schema without null; None for a field that can only be null."""
    choices = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    beside = {name: value for name, value in schema.items() if name not in {"anyOf", "default", "type"}}
    return {**choices[0], **beside} if choices else None


def _result() -> Json:
    """Return the schema of the answer, with the fields that are read from properties."""
    schema = TypeAdapter(SendResult).json_schema(mode="serialization", schema_generator=_Untitled)
    schema.pop("$defs", None)
    known = dict(_attributes(SendResult))
    fields = schema["properties"] | {"platform": {"type": "string", "enum": [each.value for each in PlatformType]}}
    for name in DERIVED:
        method = getattr(SendResult, name).fget
        fields[name] = TypeAdapter(get_type_hints(method)["return"]).json_schema() | {
            "description": _sentence(_paragraphs(method)[0])
        }
    for name, about in known.items():
        fields[name]["description"] = about
    names = [*asdict(SendResult(True)), *DERIVED]
    about = "The result of a send. A success means queued; a failure says why, and nothing is sent."
    return {"type": "object", "description": about, "properties": fields, "required": names}


def _error() -> Json:
    example = orjson.loads(BODIES[401])["error"]
    error = {"type": "string", "description": "One line.", "example": example}
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}


def _paragraphs(thing: object) -> list[str]:
    """Return the paragraphs of a docstring, each as one line."""
    return [" ".join(each.split()) for each in (inspect.getdoc(thing) or "").split("\n\n")]


def _attributes(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the names and descriptions under `Attributes:` of the docstring of a class."""
    _, _, section = inspect.cleandoc(vars(kind).get("__doc__") or "").partition("Attributes:\n")
    for name, about in re.findall(r"^(\w+): (.*(?:\n +.*)*)", dedent(section), re.M):
        yield name, _sentence(" ".join(about.split()))


def _sentence(about: str) -> str:
    """Return a description for readers of JSON."""
    plain = about.replace("None", "null")
    return plain[:1].upper() + plain[1:]
