"""Convert the message of WhatsApp Web's protocol, which gateways pass on, into the Cloud API's shape.

Sources: Wasender, webhooks; the names under `message` are those of the protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from pipeline.providers.shared.fields import field, identifier
from pipeline.providers.shared.vcards import parse_vcard
from pipeline.topics.types import Json

Content = tuple[str, Any]
"""A message type, and the value of the field that is named after it."""

_WRAPPERS: Final = (
    "deviceSentMessage",
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "editedMessage",
    "lottieStickerMessage",
    "associatedChildMessage",
    "groupMentionedMessage",
    "botInvokeMessage",
    "botForwardedMessage",
    "pollCreationMessageV4",
)
_WRAPPED: Final = frozenset(_WRAPPERS)
_METADATA_FIELDS: Final = frozenset(
    {
        "messageContextInfo",
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "placeholderMessage",
    }
)
"""Fields beside the content, or in its place. A message with no other fields has no content."""
_TEXTS: Final = frozenset({"conversation", "extendedTextMessage"})
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})
_SUFFIX: Final = re.compile(r"(?<=.)Message(?:V[0-9]+)?$")
_REVOKE: Final = (0, "0", "REVOKE")
_EDIT: Final = (14, "14", "MESSAGE_EDIT")
_FILE: Final = {
    "url": "url",
    "mimetype": "mime_type",
    "fileSha256": "sha256",
    "caption": "caption",
    "fileName": "filename",
    "mediaKey": "mediaKey",
}


def read_content(message: Json, body: object = None) -> Content | None:
    """Return the type and content of `message`; None without a model.

    An edit that names no original edits the message that it comes as.

    Args:
        body: Wasender's `messageBody`.
    """
    bare = unwrap(message)
    made = _content(bare) or (_text(body) if is_empty(bare) else None)
    if made is None or made[0] == "edit" or type(message.get("editedMessage")) is not dict:
        return made
    kind, now = made
    return "edit", {"message": {"type": kind, kind: now}}


def _content(bare: Json) -> Content | None:
    named = _BUILDERS.keys() & bare.keys()
    for name in _BUILDERS if len(named) > 1 else named:
        if name in named and (made := _BUILDERS[name](bare[name])) is not None:
            return made
    return None


def is_empty(message: Json) -> bool:
    """Return True if the message has no content yet. The content may follow under the same id."""
    return not any(_has_value(name, value) for name, value in unwrap(message).items() if name not in _METADATA_FIELDS)


def is_text(message: Json) -> bool:
    """Return True if the message contains a text, of any form."""
    return not _TEXTS.isdisjoint(unwrap(message))


def unwrap(message: Json) -> Json:
    """Return the message inside of wrappers: disappearing, view once, edited, or part of another message."""
    for _ in _WRAPPERS:
        if _WRAPPED.isdisjoint(message):
            break
        name = next((each for each in _WRAPPERS if type(message.get(each)) is dict), None)
        inner = message[name].get("message") if name else None
        if type(inner) is not dict:
            break
        message = inner
    return message


def type_name(message: Json) -> str:
    """Return the own type name of a message without a model: `groupInvite` for `groupInviteMessage`."""
    named = list(unwrap(message))
    content = [name for name in named if name not in _METADATA_FIELDS and name != "conversation"]
    beside = [name for name in named if name.endswith("Message")]
    return _SUFFIX.sub("", (content or beside or ["unknown"])[0])


def context_info(message: Json) -> Json:
    """Return the protocol's `contextInfo`, which names what the message refers to; empty without one."""
    found = (each.get("contextInfo") for each in unwrap(message).values() if type(each) is dict)
    return next((info for info in found if type(info) is dict), {})


def _has_value(name: str, value: Any) -> bool:
    """Return True if a field has a value besides `contextInfo`. An unknown type counts even if it is empty."""
    if value is None or (name not in _BUILDERS and name not in _WRAPPERS):
        return value is not None
    if type(value) is dict:
        return any(each not in _EMPTY for field, each in value.items() if field != "contextInfo")
    return value not in _EMPTY


def _text(value: Any) -> Content | None:
    """Return a text; None for an empty one, which nobody can send."""
    return ("text", {"body": value}) if type(value) is str and value else None


def _extended(value: Any) -> Content | None:
    return _text(field(value, "text"))


def _media(kind: str) -> Callable[[Any], Content | None]:
    def build(value: Any) -> Content | None:
        if type(value) is not dict:
            return None
        found: Json = {ours: value[theirs] for theirs, ours in _FILE.items() if type(value.get(theirs)) is str}
        numbers = {"file_size": _number(value.get("fileLength")), "duration": _number(value.get("seconds"))}
        flags = {"voice": value.get("ptt"), "animated": value.get("isAnimated")}
        found |= {name: number for name, number in numbers.items() if number is not None}
        return kind, found | {name: flag for name, flag in flags.items() if type(flag) is bool}

    return build


def _location(live: bool) -> Callable[[Any], Content | None]:
    def build(value: Any) -> Content | None:
        latitude, longitude = field(value, "degreesLatitude"), field(value, "degreesLongitude")
        if latitude is None or longitude is None:
            return None
        named = {name: value[name] for name in ("name", "address", "url") if type(value.get(name)) is str}
        return "location", {"latitude": latitude, "longitude": longitude, **named} | ({"live": True} if live else {})

    return build


def _contact(value: Any) -> Content | None:
    return "contacts", [_card(value)]


def _contacts(value: Any) -> Content | None:
    cards = field(value, "contacts")
    return ("contacts", [_card(each) for each in cards]) if type(cards) is list else None


def _card(value: Any) -> Json:
    card = field(value, "vcard")
    made = parse_vcard(card) if type(card) is str else {"name": {}}
    name = field(value, "displayName")
    return made | ({"name": {"formatted_name": name}} if type(name) is str and name else {})


def _reaction(value: Any) -> Content | None:
    target, emoji = identifier(field(field(value, "key"), "id")), field(value, "text")
    return ("reaction", {"message_id": target, "emoji": emoji or ""}) if target else None


def _button_reply(value: Any) -> Content | None:
    return _interactive("button_reply", field(value, "selectedButtonId"), field(value, "selectedDisplayText"))


def _list_reply(value: Any) -> Content | None:
    row, description = field(field(value, "singleSelectReply"), "selectedRowId"), field(value, "description")
    return _interactive("list_reply", row, field(value, "title"), description)


def _interactive(kind: str, chosen: Any, title: Any, description: Any = None) -> Content | None:
    if type(chosen) not in (str, int):
        return None
    reply = {"id": str(chosen), "title": title or ""} | ({"description": description} if description else {})
    return "interactive", {"type": kind, kind: reply}


def _flow_reply(value: Any) -> Content | None:
    response = field(value, "nativeFlowResponseMessage")
    if type(response) is not dict:
        return None
    reply = {
        "name": response.get("name"),
        "response_json": response.get("paramsJson"),
        "body": field(field(value, "body"), "text"),
    }
    return "interactive", {"type": "nfm_reply", "nfm_reply": {name: each for name, each in reply.items() if each}}


def _template_reply(value: Any) -> Content | None:
    chosen = identifier(field(value, "selectedId"))
    return ("button", {"text": field(value, "selectedDisplayText") or "", "payload": chosen}) if chosen else None


def _poll(value: Any) -> Content | None:
    options = field(value, "options")
    if type(options) is not list:
        return None
    made: Json = {"name": field(value, "name") or "", "options": [field(option, "optionName") for option in options]}
    count = _number(field(value, "selectableOptionsCount"))
    return "poll", made | ({} if count is None else {"selectable_count": count})


def _vote(value: Any) -> Content | None:
    """Return a vote. The selection is encrypted and comes with `poll.results`."""
    poll = identifier(field(field(value, "pollCreationMessageKey"), "id"))
    return ("poll_vote", {"poll_message_id": poll}) if poll else None


def _order(value: Any) -> Content | None:
    """Return an order. Gateways name its number of items, but not the items."""
    text, order_id = field(value, "message"), field(value, "orderId")
    return ("order", {"text": text, "product_items": [], "order_id": order_id}) if order_id else None


def _protocol(value: Any) -> Content | None:
    target, kind = identifier(field(field(value, "key"), "id")), field(value, "type")
    if target is None or type(kind) not in (int, str):
        return None
    if kind in _REVOKE:
        return "revoke", {"original_message_id": target}
    return ("edit", _edit(target, field(value, "editedMessage"))) if kind in _EDIT else None


def _edit(target: str, message: Any) -> Json:
    now = read_content(message) if type(message) is dict else None
    return {"original_message_id": target} | ({"message": {"type": now[0], now[0]: now[1]}} if now else {})


def _number(value: object) -> int | None:
    """Return a length, which may be a number, a string, or the halves of a 64-bit number."""
    if type(value) is dict:
        value = value.get("low")
    if type(value) is str and value.isdecimal() and value.isascii():
        return int(value)
    return value if type(value) is int else None


_BUILDERS: Final[dict[str, Callable[[Any], Content | None]]] = {
    "conversation": _text,
    "extendedTextMessage": _extended,
    "imageMessage": _media("image"),
    "videoMessage": _media("video"),
    "ptvMessage": _media("video"),
    "audioMessage": _media("audio"),
    "documentMessage": _media("document"),
    "stickerMessage": _media("sticker"),
    "locationMessage": _location(live=False),
    "liveLocationMessage": _location(live=True),
    "contactMessage": _contact,
    "contactsArrayMessage": _contacts,
    "reactionMessage": _reaction,
    "buttonsResponseMessage": _button_reply,
    "listResponseMessage": _list_reply,
    "interactiveResponseMessage": _flow_reply,
    "templateButtonReplyMessage": _template_reply,
    "pollCreationMessage": _poll,
    "pollCreationMessageV2": _poll,
    "pollCreationMessageV3": _poll,
    "pollCreationMessageV5": _poll,
    "pollUpdateMessage": _vote,
    "orderMessage": _order,
    "protocolMessage": _protocol,
}
