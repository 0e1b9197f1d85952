"""Convert a user's message from the form of the Cloud API to WAHA's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.sandbox.errors import NotSupported
from pipeline.sandbox.types import JsonObject

Made = tuple[str, JsonObject]
"""An event, and the fields of its payload that depend on the type."""

_MESSAGE: Final = "message"


def payload(kind: str, content: Any) -> Made:
    """Return the event of a message. Raise `NotSupported` for a type that the engines do not have."""
    build = _BUILDERS.get(kind)
    if build is None:
        raise NotSupported(f"WAHA has no {kind} messages: use one of {', '.join(sorted(_BUILDERS))}")
    try:
        return build(kind, content)
    except (KeyError, TypeError, AttributeError):
        raise NotSupported(f"the content is no {kind} of the Cloud API's shape: see its webhooks reference") from None


def _text(_: str, content: JsonObject) -> Made:
    return _MESSAGE, {"body": content["body"], "_data": {"type": "chat"}}


def _media(kind: str, content: JsonObject) -> Made:
    file = {"url": content.get("url") or content.get("link"), "mimetype": content.get("mime_type")}
    media = file | {"filename": content.get("filename"), "error": None}
    named = "ptt" if content.get("voice") else kind
    return _MESSAGE, {"body": content.get("caption", ""), "hasMedia": True, "media": media, "_data": {"type": named}}


def _location(_: str, content: JsonObject) -> Made:
    place = {"latitude": str(content["latitude"]), "longitude": str(content["longitude"])}
    named = {"name": content.get("name"), "address": content.get("address"), "description": content.get("name")}
    return _MESSAGE, {"location": place | named, "_data": {"type": "location"}}


def _contacts(_: str, content: list[JsonObject]) -> Made:
    return _MESSAGE, {"vCards": [_card(each) for each in content], "_data": {"type": "vcard"}}


def _card(contact: JsonObject) -> str:
    phones = [f"TEL;type=CELL;waid={each.get('wa_id', '')}:{each['phone']}" for each in contact.get("phones", ())]
    name = contact["name"]["formatted_name"]
    return "\n".join(["BEGIN:VCARD", "VERSION:3.0", f"FN:{name}", *phones, "END:VCARD"])


def _interactive(_: str, content: JsonObject) -> Made:
    reply = content[content["type"]]
    if content["type"] == "list_reply":
        data = {"type": "list_response", "listResponse": {"singleSelectReply": {"selectedRowId": reply["id"]}}}
    else:
        data = {"type": "buttons_response", "selectedButtonId": reply["id"]}
    return _MESSAGE, {"body": reply["title"], "_data": data}


def _reaction(_: str, content: JsonObject) -> Made:
    return "message.reaction", {"reaction": {"text": content.get("emoji", ""), "messageId": content["message_id"]}}


def _edit(_: str, content: JsonObject) -> Made:
    now = content["message"]
    _, held = payload(now["type"], now[now["type"]])
    return "message.edited", {**held, "editedMessageId": _bare(content["original_message_id"])}


def _revoke(_: str, content: JsonObject) -> Made:
    original = content["original_message_id"]
    return "message.revoked", {"before": {"id": original}, "after": None, "revokedMessageId": _bare(original)}


def _poll(_: str, content: JsonObject) -> Made:
    options = [{"name": option, "localId": number} for number, option in enumerate(content["options"])]
    data = {"type": "poll_creation", "pollName": content["name"], "pollOptions": options}
    return _MESSAGE, {"_data": data | {"pollSelectableOptionsCount": content.get("selectable_count", 0)}}


def _vote(_: str, content: JsonObject) -> Made:
    chosen = {"selectedOptions": content["selected_options"]}
    return "poll.vote", {"vote": chosen, "poll": {"id": content["poll_message_id"], "fromMe": True}}


def _bare(message_id: str) -> str:
    """Return WhatsApp's own id from a composite one."""
    parts = message_id.split("_", 3)
    return parts[2] if len(parts) > 2 else message_id


_BUILDERS: Final[dict[str, Callable[[str, Any], Made]]] = {
    "text": _text,
    **dict.fromkeys(("image", "video", "audio", "document", "sticker"), _media),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revoke,
    "poll": _poll,
    "poll_vote": _vote,
}
