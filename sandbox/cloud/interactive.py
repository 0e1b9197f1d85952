"""Validate interactive messages as the Graph API does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.sandbox.cloud.errors import known, wrong
from pipeline.sandbox.cloud.fields import Has, is_uri, lengths, listed, member, required, unique
from pipeline.sandbox.types import JsonObject

_TEXT: Final = frozenset({"text"})
_ANY: Final = frozenset({"text", "image", "video", "document"})


def check_interactive(content: JsonObject, has: Has) -> None:
    kind = required("interactive", content, "type")
    if not isinstance(kind, str) or kind not in _ACTIONS:
        raise wrong("Param interactive['type'] must be one of {" + ", ".join(_ACTIONS).upper() + "}")
    _frame(kind, content, has)
    action = required("interactive", content, "action")
    if not isinstance(action, dict):
        raise wrong("Param interactive['action'] must be a JSON object.")
    _ACTIONS[kind](action, has)


def _frame(kind: str, content: JsonObject, has: Has) -> None:
    if kind != "product" or "body" in content:
        text = required("interactive['body']", required("interactive", content, "body"), "text")
        lengths("interactive['body']['text']", text, 4096 if kind == "list" else 1024, "Body text")
    if "footer" in content:
        lengths("interactive['footer']", required("interactive", content["footer"], "text"), 60, "Footer text")
    if "header" in content or kind == "product_list":
        _header(required("interactive", content, "header"), _TEXT if kind in _TEXT_ONLY else _ANY, has)


def _header(header: object, allowed: frozenset[str], has: Has) -> None:
    kind = required("interactive['header']", header, "type")
    if not isinstance(header, dict) or kind not in allowed:
        raise known(131009, details="Header type is not supported for this interactive message")
    if kind == "text":
        lengths("interactive['header']['text']", header.get("text"), 60, "Header text")
    else:
        member(f"interactive['header']['{kind}']", header.get(kind), has)


def _buttons(action: JsonObject, _: Has) -> None:
    buttons = listed("interactive['action']['buttons']", action.get("buttons"), 1, 3, "buttons")
    replies = [required("button", each, "reply") for each in buttons]
    for each in replies:
        lengths("reply['title']", required("reply", each, "title"), 20, "Button title")
        lengths("reply['id']", required("reply", each, "id"), 256, "Button id")
    unique("button id", [each["id"] for each in replies])
    unique("button title", [each["title"] for each in replies])


def _list(action: JsonObject, _: Has) -> None:
    lengths("interactive['action']['button']", action.get("button"), 20, "Button label")
    sections = listed("interactive['action']['sections']", action.get("sections"), 1, 10, "sections")
    rows = [row for each in sections for row in _rows(each, len(sections) > 1)]
    if len(rows) > 10:
        raise known(131009, details="Total row count exceed max allowed count: 10")
    for row in rows:
        lengths("row['id']", required("row", row, "id"), 200, "Row id")
        lengths("row['title']", required("row", row, "title"), 24, "Row title")
        if "description" in row:
            lengths("row['description']", row["description"], 72, "Row description")
    unique("row id", [row["id"] for row in rows])


def _rows(section: object, titled: bool) -> list[Any]:
    if titled or (isinstance(section, dict) and "title" in section):
        lengths("section['title']", required("section", section, "title"), 24, "Section title")
    return listed("section['rows']", required("section", section, "rows"), 1, 10, "rows")


def _url(action: JsonObject, _: Has) -> None:
    parameters = required("interactive['action']", action, "parameters")
    lengths("parameters['display_text']", required("parameters", parameters, "display_text"), 20, "Display text")
    if not is_uri(required("parameters", parameters, "url")):
        raise wrong("Param interactive['action']['parameters']['url'] is not a valid URI.")


def _named(name: str) -> Callable[[JsonObject, Has], None]:
    def check(action: JsonObject, _: Has) -> None:
        if action.get("name") != name:
            raise wrong(f"Param interactive['action']['name'] must be one of {{{name.upper()}}}")

    return check


def _address(action: JsonObject, has: Has) -> None:
    _named("address_message")(action, has)
    required("parameters", required("action", action, "parameters"), "country")


def _flow(action: JsonObject, has: Has) -> None:
    _named("flow")(action, has)
    parameters = required("interactive['action']", action, "parameters")
    lengths("parameters['flow_cta']", required("parameters", parameters, "flow_cta"), 20, "Flow CTA")
    if parameters.get("flow_message_version") != "3":
        raise known(131009, details="flow_message_version is not 3")
    for name, allowed in (("mode", ("published", "draft")), ("flow_action", ("navigate", "data_exchange"))):
        if parameters.get(name, allowed[0]) not in allowed:
            raise wrong(f"Param parameters['{name}'] must be one of {{{', '.join(allowed).upper()}}}")
    if ("flow_id" in parameters) == ("flow_name" in parameters):
        raise known(131009, details="Exactly one of flow_id and flow_name is mandatory")


def _product(action: JsonObject, _: Has) -> None:
    for name in ("catalog_id", "product_retailer_id"):
        required("interactive['action']", action, name)


def _products(action: JsonObject, _: Has) -> None:
    required("interactive['action']", action, "catalog_id")
    sections = listed("interactive['action']['sections']", action.get("sections"), 1, 10, "sections")
    items = [item for each in sections for item in listed("product_items", each.get("product_items"), 1, 30)]
    if len(items) > 30:
        raise known(131009, details="Total product count exceed max allowed count: 30")
    for item in items:
        required("product_items", item, "product_retailer_id")


def _cards(action: JsonObject, has: Has) -> None:
    cards = listed("interactive['action']['cards']", action.get("cards"), 2, 10, "cards")
    for number, card in enumerate(cards):
        if not isinstance(card, dict) or card.get("card_index") != number:
            raise known(131009, details=f"card_index of card {number} is not {number}")
        _header(required("card", card, "header"), frozenset({"image", "video"}), has)
        _card_action(required("card", card, "action"), has)


def _card_action(action: JsonObject, has: Has) -> None:
    if "buttons" not in action:
        return _url(action, has)
    replies = [
        required("button", each, "quick_reply")
        for each in listed("card['buttons']", action["buttons"], 1, 3, "buttons")
    ]
    for each in replies:
        lengths("quick_reply['title']", required("quick_reply", each, "title"), 20, "Button title")
    unique("button title", [each["title"] for each in replies])
    return None


_ACTIONS: Final[Mapping[str, Callable[[JsonObject, Has], None]]] = {
    "address_message": _address,
    "button": _buttons,
    "call_permission_request": _named("call_permission_request"),
    "carousel": _cards,
    "catalog_message": _named("catalog_message"),
    "cta_url": _url,
    "flow": _flow,
    "list": _list,
    "location_request_message": _named("send_location"),
    "product": _product,
    "product_list": _products,
    "request_contact_info": _named("request_contact_info"),
    "voice_call": _named("voice_call"),
}
_TEXT_ONLY: Final = frozenset({"list", "product_list"})
