"""Build message events: messages, reactions, deletions. The session's own messages become echoes."""

from __future__ import annotations

from datetime import datetime

from pipeline.providers.shared.contents import Content, context_info, is_empty, read_content, type_name
from pipeline.providers.shared.fields import as_object, field, identifier, may_be_from_me
from pipeline.providers.shared.notices import notice_event_id
from pipeline.providers.shared.references import read_references
from pipeline.providers.shared.shapes import validates
from pipeline.providers.shared.stubs import stub_name
from pipeline.providers.shared.times import instant
from pipeline.providers.wasender import envelope
from pipeline.providers.wasender.event_source import WasenderEventSource, event_user, is_group, person_field, sender
from pipeline.providers.wasender.identity import key_chat, message_event_id
from pipeline.providers.wasender.jids import contact_key
from pipeline.topics.types import Json

STORIES = "status@broadcast"
_REVOKED = "revoke"
_EDIT = "edit"


def message_key(source: WasenderEventSource) -> Json:
    """Return the key of a message, or of a reaction itself; empty without a key."""
    item = as_object(source.item)
    if source.part.event == envelope.DELETE:
        return item
    own = as_object(field(item.get("reaction"), "key")) if source.part.event == envelope.REACTION else {}
    return own or as_object(item.get("key"))


def may_be_own(source: WasenderEventSource) -> bool:
    """Return True if the session may have written it, by this API or the phone. Such a message must not be answered."""
    return may_be_from_me(message_key(source).get("fromMe"))


def message_event(source: WasenderEventSource, body: Json) -> bool:
    """Make `body` a message event. Returns False for content without a model or a malformed message."""
    made = build_message(source)
    if made is None:
        return False
    item = source.item
    body["kind"] = "message"
    body["event_type"] = f"message.{made['type']}"
    body["event_id"] = message_or_content_id(source)
    body["timestamp"] = message_time(source)
    body["user"] = event_user(message_key(source), item.get("pushName"))
    body["message"] = made
    return validates(body)


def build_message(source: WasenderEventSource) -> Json | None:
    """Return the message in the Cloud API's shape; None without a model."""
    key, made = message_key(source), _content(source)
    message_id = _message_id(source, made)
    if made is None or message_id is None:
        return None
    kind, held = made
    number = key.get("msgId")
    return {
        "id": message_id,
        "timestamp": int(message_time(source).timestamp()),
        "type": kind,
        kind: held,
        **_sender(key),
        **({"group_id": source.chat} if is_group(source.chat) else {}),
        **({"msg_id": str(number)} if type(number) in (int, str) else {}),
        **read_references(context_info(_message(source)), contact_key),
    }


def message_or_content_id(source: WasenderEventSource) -> str:
    """Return the id of a message, which does not depend on whether the message has a model.

    A message without content has another id: otherwise the content that follows would be a duplicate.
    """
    made = _content(source)
    message_id = _message_id(source, made)
    if message_id is None or (made is None and source.part.event not in envelope.MESSAGES):
        return source.content_id
    event_id = message_event_id(source.account, source.chat, message_id)
    return notice_event_id(event_id, message_type(source)) if made is None and is_empty(_message(source)) else event_id


def message_type(source: WasenderEventSource) -> str:
    """Return the type name of a message without a model: by its content, else by its placeholder."""
    held = _message(source)
    stub = stub_name(field(source.item, "messageStubType")) if is_empty(held) else None
    return stub or type_name(held)


def message_time(source: WasenderEventSource) -> datetime:
    """Return the time when it was written, else when it was reported."""
    item = as_object(source.item)
    stamp = item.get("messageTimestamp")
    seconds = stamp.get("low") if type(stamp) is dict else stamp
    return instant(seconds) or instant(field(item.get("reaction"), "senderTimestampMs")) or source.at


def _content(source: WasenderEventSource) -> Content | None:
    item = as_object(source.item)
    if source.part.event == envelope.DELETE:
        return _deletion(item)
    if source.part.event == envelope.REACTION:
        return _reaction(item)
    made = read_content(_message(source), item.get("messageBody"))
    return (
        (_EDIT, {"original_message_id": identifier(message_key(source).get("id"))} | made[1])
        if made and made[0] == _EDIT
        else made
    )


def _deletion(key: Json) -> Content | None:
    target = identifier(key.get("id"))
    return (_REVOKED, {"original_message_id": target}) if target else None


def _reaction(item: Json) -> Content | None:
    """Build a reaction. `key` names the message that it is about. An empty or missing text removes the reaction."""
    target, emoji = identifier(field(item.get("key"), "id")), field(item.get("reaction"), "text")
    if target is None or type(item.get("reaction")) is not dict:
        return None
    return "reaction", {"message_id": target, "emoji": emoji if type(emoji) is str else ""}


def _message_id(source: WasenderEventSource, made: Content | None) -> str | None:
    """Return the message's own id, with a suffix where a deletion, reaction or edit may have the original's.

    A deletion arrives both as a message and as an event of its own. Both are one event.
    """
    message_id = identifier(message_key(source).get("id"))
    if made is not None and made[0] == _REVOKED:
        return f"{made[1]['original_message_id']}:{_REVOKED}"
    if message_id is None:
        return None
    if made is not None and made[0] == _EDIT and made[1]["original_message_id"] == message_id:
        return f"{message_id}:{_EDIT}:{int(message_time(source).timestamp())}"
    if source.part.event != envelope.REACTION or made is None or message_id != made[1]["message_id"]:
        return message_id
    who, at = sender(message_key(source)) or "", int(message_time(source).timestamp())
    return f"{message_id}:reaction:{who}:{made[1]['emoji']}:{at}"


def _sender(key: Json) -> Json:
    who = contact_key(sender(key)) or key_chat(key)
    return dict(person_field(who, "from", "from_user_id")) if who else {}


def _message(source: WasenderEventSource) -> Json:
    return as_object(field(source.item, "message"))
