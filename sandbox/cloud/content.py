"""Validate the content of a message by its type. Limits: Meta's reference of the messages API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.sandbox.cloud.errors import invalid, known, missing, wrong
from pipeline.sandbox.cloud.fields import Has, lengths, listed, member, required
from pipeline.sandbox.cloud.interactive import check_interactive
from pipeline.sandbox.types import JsonObject

TEXT_LIMIT: Final = 4096
_NAME_PARTS: Final = ("first_name", "last_name", "middle_name", "suffix", "prefix")
_NOT_IN_PARAMETERS: Final = re.compile(r"[\r\n\t]| {5}")
_CAPTIONED: Final = ("image", "video", "document")

Check = Callable[[Any, Has], None]


def check_content(kind: str, content: Any, has: Has) -> None:
    """Raise `GraphError` for content that Meta rejects. `has` returns True if the number has a medium of that id."""
    try:
        _CHECKS[kind](content, has)
    except (TypeError, AttributeError, KeyError):
        # Something inside has a wrong type.
        raise wrong(f"Param {kind} is malformed.") from None


def _text(content: JsonObject, _: Has) -> None:
    text = content.get("body")
    if text is None or text == "":
        raise missing("text['body']")
    if not isinstance(text, str):
        raise wrong("Param text['body'] must be a string")
    if len(text) > TEXT_LIMIT:
        raise wrong(f"Param text['body'] must be at most {TEXT_LIMIT} characters long.")


def _medium(kind: str) -> Check:
    def check(content: JsonObject, has: Has) -> None:
        member(kind, content, has)
        caption = content.get("caption")
        if caption is not None and kind not in _CAPTIONED:
            raise wrong(f'Unexpected key "caption" on param "{kind}".')
        if caption is not None:
            lengths(f"{kind}['caption']", caption, 1024)

    return check


def _location(content: JsonObject, _: Has) -> None:
    for name, most in (("latitude", 90), ("longitude", 180)):
        if name not in content:
            raise missing(f"location['{name}']")
        if not _within(content[name], most):
            raise known(131009, details=f"{name} is not between -{most} and {most}")


def _within(value: object, most: float) -> bool:
    try:
        return isinstance(value, int | float | str) and -most <= float(value) <= most
    except ValueError:
        return False


def _contacts(content: list[Any], _: Has) -> None:
    if not content:
        raise missing("contacts")
    for number, each in enumerate(content):
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(name, dict) or not name.get("formatted_name"):
            raise missing(f"contacts[{number}]['name']['formatted_name']")
        if not any(name.get(part) for part in _NAME_PARTS):
            raise known(131009, details=f"contacts[{number}]['name']: one of {', '.join(_NAME_PARTS)} is mandatory")


def _reaction(content: JsonObject, _: Has) -> None:
    if not isinstance(content.get("message_id"), str) or not content["message_id"].startswith("wamid."):
        raise known(131009, details="The message_id is not the id of a message")
    if not isinstance(content.get("emoji"), str):
        raise missing("reaction['emoji']")
    if content["emoji"] and content["emoji"].isascii():
        raise known(131009, details="The emoji is not an emoji")


def _template(content: JsonObject, has: Has) -> None:
    lengths("template['name']", required("template", content, "name"), 512)
    language = content.get("language")
    if not isinstance(language, dict) or not language.get("code"):
        raise missing("template['language']['code']")
    for number, component in enumerate(listed("template['components']", content.get("components", []), 0, 25)):
        _component(f"template['components'][{number}]", component, has)


def _component(where: str, component: object, has: Has) -> None:
    if not isinstance(component, dict) or not isinstance(component.get("type"), str):
        raise missing(f"{where}['type']")
    for number, card in enumerate(component.get("cards", ())):
        for each in card.get("components", ()):
            _component(f"{where}['cards'][{number}]", each, has)
    for each in component.get("parameters", ()):
        kind = each.get("type") if isinstance(each, dict) else None
        if not isinstance(kind, str):
            raise missing(f"{where}['parameters']['type']")
        if kind == "text":
            _parameter_text(each.get("text"))
        elif kind in ("image", "video", "document"):
            member(kind, required(where, each, kind), has)
        elif kind not in each:
            raise known(132012, details=f"{where}: a parameter of type {kind} without {kind}")


def _parameter_text(text: object) -> None:
    if not isinstance(text, str) or not text:
        raise invalid("Parameter 'text' is mandatory for component parameter type 'text'")
    if _NOT_IN_PARAMETERS.search(text):
        raise known(132018)


def _pin(content: JsonObject, _: Has) -> None:
    if content.get("type") not in ("pin", "unpin"):
        raise wrong("Param pin['type'] must be one of {PIN, UNPIN}")
    required("pin", content, "message_id")
    days = content.get("expiration_days", 7)
    if not isinstance(days, int) or not 1 <= days <= 30:
        raise known(131009, details="expiration_days is not between 1 and 30")


_CHECKS: Final[Mapping[str, Check]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "template": _template,
    "pin": _pin,
    "interactive": check_interactive,
    **{kind: _medium(kind) for kind in ("image", "video", "audio", "document", "sticker")},
}
