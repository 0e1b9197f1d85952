"""Convert a user's message from the form of the Cloud API to WhatsApp's own, which Wasender passes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.sandbox.errors import NotSupported
from pipeline.sandbox.types import JsonObject

_FILE: Final = {
    "mime_type": "mimetype",
    "sha256": "fileSha256",
    "caption": "caption",
    "filename": "fileName",
    "voice": "ptt",
    "animated": "isAnimated",
}


def protocol_message(kind: str, content: Any) -> JsonObject:
    """Return the object `message` of a webhook. Raise `NotSupported` for other types."""
    build = _BUILDERS.get(kind)
    if build is None:
        raise NotSupported(f"Wasender has no {kind} messages: use one of {', '.join(sorted(_BUILDERS))}")
    try:
        return build(content)
    except (KeyError, TypeError, AttributeError):
        raise NotSupported(f"the content is no {kind} of the Cloud API's shape: see its webhooks reference") from None


def _media(name: str) -> Callable[[JsonObject], JsonObject]:
    def build(content: JsonObject) -> JsonObject:
        told = {theirs: content[ours] for ours, theirs in _FILE.items() if ours in content}
        url = content.get("url") or content.get("link") or "https://media.example/encrypted"
        return {name: {"url": url, "mediaKey": "c2FuZGJveC1tZWRpYS1rZXk=", "fileLength": "12345"} | told}

    return build


def _location(content: JsonObject) -> JsonObject:
    named = {name: content[name] for name in ("name", "address", "url") if content.get(name)}
    where = {"degreesLatitude": content["latitude"], "degreesLongitude": content["longitude"]}
    return {"locationMessage": where | named}


def _contacts(content: list[JsonObject]) -> JsonObject:
    cards = [{"displayName": each["name"]["formatted_name"], "vcard": _vcard(each)} for each in content]
    if len(cards) == 1:
        return {"contactMessage": cards[0]}
    return {"contactsArrayMessage": {"displayName": f"{len(cards)} contacts", "contacts": cards}}


def _vcard(contact: JsonObject) -> str:
    phones = [f"TEL;type=CELL;waid={each.get('wa_id', '')}:{each['phone']}" for each in contact.get("phones", ())]
    name = contact["name"]["formatted_name"]
    return "\n".join(["BEGIN:VCARD", "VERSION:3.0", f"FN:{name}", *phones, "END:VCARD"])


def _interactive(content: JsonObject) -> JsonObject:
    kind, reply = content["type"], content[content["type"]]
    if kind == "button_reply":
        return {"buttonsResponseMessage": {"selectedButtonId": reply["id"], "selectedDisplayText": reply["title"]}}
    if kind == "list_reply":
        row = {"singleSelectReply": {"selectedRowId": reply["id"]}, "title": reply["title"]}
        return {"listResponseMessage": row | {"description": reply.get("description", "")}}
    flow = {"name": reply.get("name", "flow"), "paramsJson": reply["response_json"]}
    return {"interactiveResponseMessage": {"nativeFlowResponseMessage": flow}}


def _button(content: JsonObject) -> JsonObject:
    return {"templateButtonReplyMessage": {"selectedId": content["payload"], "selectedDisplayText": content["text"]}}


def _poll(content: JsonObject) -> JsonObject:
    options = [{"optionName": option} for option in content["options"]]
    count = {"selectableOptionsCount": content.get("selectable_count", 0)}
    return {"pollCreationMessageV3": {"name": content["name"], "options": options} | count}


def _vote(content: JsonObject) -> JsonObject:
    """Return a vote. Its chosen options are encrypted."""
    return {"pollUpdateMessage": {"pollCreationMessageKey": {"id": content["poll_message_id"]}, "vote": {}}}


def _edit(content: JsonObject) -> JsonObject:
    now = content["message"]
    edited = protocol_message(now["type"], now[now["type"]])
    told = {"type": 14, "key": {"id": content["original_message_id"]}, "editedMessage": edited}
    return {"protocolMessage": told}


_BUILDERS: Final[dict[str, Callable[[Any], JsonObject]]] = {
    "text": lambda content: {"conversation": content["body"]},
    "image": _media("imageMessage"),
    "video": _media("videoMessage"),
    "audio": _media("audioMessage"),
    "document": _media("documentMessage"),
    "sticker": _media("stickerMessage"),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "poll": _poll,
    "poll_vote": _vote,
    "edit": _edit,
}
