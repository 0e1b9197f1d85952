"""What people write and do in a chat: messages, reactions, deletions. What the session itself did is an echo."""

from __future__ import annotations

from datetime import datetime

from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body
from pipeline.providers.shared.contents import Content, content, context_info, is_empty, type_name
from pipeline.providers.shared.fields import as_object, field, identifier, may_be_ours
from pipeline.providers.shared.notices import notice_event_id
from pipeline.providers.shared.references import references
from pipeline.providers.shared.stubs import stub_name
from pipeline.providers.times import instant
from pipeline.providers.wasender import envelope
from pipeline.providers.wasender.identity import key_chat, message_event_id
from pipeline.providers.wasender.jids import contact
from pipeline.providers.wasender.people import is_group, names, sender, user
from pipeline.providers.wasender.wire import Happening

STORIES = "status@broadcast"
_REVOKED = "revoke"
_EDIT = "edit"


def key_of(found: Happening) -> Body:
    """The key of the message that a part is or, for a reaction, of the reaction itself. Empty where there is none."""
    item = as_object(found.item)
    if found.part.event == envelope.DELETE:
        return item
    own = as_object(field(item.get("reaction"), "key")) if found.part.event == envelope.REACTION else {}
    return own or as_object(item.get("key"))


def is_ours(found: Happening) -> bool:
    """Whether the session did it, by this API or on the phone. An answer to it would be answered again."""
    return may_be_ours(key_of(found).get("fromMe"))


def message(found: Happening, body: Body) -> bool:
    """Makes `body` a message event. False, if there is no model for what it holds or it is not built as promised."""
    made = shaped(found)
    if made is None:
        return False
    item = found.item
    body["kind"] = "message"
    body["event_type"] = f"message.{made['type']}"
    body["event_id"] = event_id_of(found)
    body["timestamp"] = at_of(found)
    body["user"] = user(key_of(found), item.get("pushName"))
    body["message"] = made
    return settled(body)


def shaped(found: Happening) -> Body | None:
    """The message in the Cloud API's shape; None for one without a model."""
    key, made = key_of(found), _content(found)
    message_id = _id_of(found, made)
    if made is None or message_id is None:
        return None
    kind, held = made
    number = key.get("msgId")
    return {
        "id": message_id,
        "timestamp": int(at_of(found).timestamp()),
        "type": kind,
        kind: held,
        **_sender(key),
        **({"group_id": found.chat} if is_group(found.chat) else {}),
        **({"msg_id": str(number)} if type(number) in (int, str) else {}),
        **references(context_info(_message(found)), contact),
    }


def event_id_of(found: Happening) -> str:
    """The id of a message, which it has whether there is a model for it or not.

    What has no content has an id of its own: under the message's, it would make the message that follows a duplicate.
    """
    made = _content(found)
    message_id = _id_of(found, made)
    if message_id is None or (made is None and found.part.event not in envelope.MESSAGES):
        return found.content_id
    event_id = message_event_id(found.account, found.chat, message_id)
    return notice_event_id(event_id, name_of(found)) if made is None and is_empty(_message(found)) else event_id


def name_of(found: Happening) -> str:
    """What a message without a model is called: by its content, else by what stands in its place."""
    held = _message(found)
    stub = stub_name(field(found.item, "messageStubType")) if is_empty(held) else None
    return stub or type_name(held)


def at_of(found: Happening) -> datetime:
    """When it was written; else when it was reported."""
    item = as_object(found.item)
    stamp = item.get("messageTimestamp")
    told = stamp.get("low") if type(stamp) is dict else stamp
    return instant(told) or instant(field(item.get("reaction"), "senderTimestampMs")) or found.at


def _content(found: Happening) -> Content | None:
    item = as_object(found.item)
    if found.part.event == envelope.DELETE:
        return _deletion(item)
    if found.part.event == envelope.REACTION:
        return _reaction(item)
    made = content(_message(found), item.get("messageBody"))
    return (
        (_EDIT, {"original_message_id": identifier(key_of(found).get("id"))} | made[1])
        if made and made[0] == _EDIT
        else made
    )


def _deletion(key: Body) -> Content | None:
    target = identifier(key.get("id"))
    return (_REVOKED, {"original_message_id": target}) if target else None


def _reaction(item: Body) -> Content | None:
    """`key` names the message that was reacted to. An empty or missing text takes the reaction back."""
    target, emoji = identifier(field(item.get("key"), "id")), field(item.get("reaction"), "text")
    if target is None or type(item.get("reaction")) is not dict:
        return None
    return "reaction", {"message_id": target, "emoji": emoji if type(emoji) is str else ""}


def _id_of(found: Happening, made: Content | None) -> str | None:
    """The message's own id. A deletion has the original's, a reaction or an edit may too: the rest makes it its own.

    A deletion comes both as a message and as an event of its own; it is one event.
    """
    message_id = identifier(key_of(found).get("id"))
    if made is not None and made[0] == _REVOKED:
        return f"{made[1]['original_message_id']}:{_REVOKED}"
    if message_id is None:
        return None
    if made is not None and made[0] == _EDIT and made[1]["original_message_id"] == message_id:
        return f"{message_id}:{_EDIT}:{int(at_of(found).timestamp())}"
    if found.part.event != envelope.REACTION or made is None or message_id != made[1]["message_id"]:
        return message_id
    return f"{message_id}:reaction:{sender(key_of(found)) or ''}:{made[1]['emoji']}:{int(at_of(found).timestamp())}"


def _sender(key: Body) -> Body:
    who = contact(sender(key)) or key_chat(key)
    return dict(names(who, "from", "from_user_id")) if who else {}


def _message(found: Happening) -> Body:
    return as_object(field(found.item, "message"))
