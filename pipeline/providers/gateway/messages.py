"""Build message events: messages, reactions, edits, deletions and votes. The account's own messages become echoes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pipeline.providers.gateway.contents import CAPTIONED, is_empty, message_type, read_content
from pipeline.providers.gateway.engine import nested_object
from pipeline.providers.gateway.event_source import GatewayEventSource, event_user, person_field
from pipeline.providers.gateway.identity import event_id, message_event_id
from pipeline.providers.gateway.jids import STORIES, bare_id, has_many_members, message_id, parse_message_id
from pipeline.providers.gateway.references import read_references
from pipeline.providers.shared.notices import notice_event_id
from pipeline.providers.shared.shapes import validates
from pipeline.providers.shared.times import instant
from pipeline.topics.types import Json


class MessagePart(NamedTuple):
    """The data of a message event.

    Attributes:
        source: the JSON that names author, chat and time. event_id_suffix: the event id after account and shared chat.
        It is the same for every address of a person and for
            every event name. None: use the event's own id.
        id: the message's id; None if `source` contains it.
    """

    source: Json
    kind: str
    content: Any
    event_id_suffix: str | None
    id: str | None = None


def message_event(source: GatewayEventSource, body: Json) -> bool:
    """Make `body` a message of a user. Returns False for other events and for messages without a model."""
    if source.origin.may_be_own or source.origin.chat == STORIES:
        return False
    part = _part(source)
    if part is None:
        return False
    made = _build(source, part)
    body |= {
        "kind": "message",
        "event_type": f"message.{part.kind}",
        "event_id": _event_id(source, part),
        "user": event_user(source.origin, source.payload),
        "message": made,
    }
    return made.keys() <= _PLAIN or validates(body)


def build_message(source: GatewayEventSource) -> Json | None:
    """Return the message in the Cloud API's shape, of any author; None without known content."""
    part = _part(source)
    return _build(source, part) if part else None


def stable_event_id(source: GatewayEventSource) -> str:
    """Return the id of an event, which does not depend on whether the event has a model.

    `message` and `message.any` are one event, because both have the message's id. A message without content has another
    id: otherwise the content that follows would be a duplicate.
    """
    part, given = _part(source), bare_id(source.payload.get("id"))
    if part or source.event not in MESSAGES or given is None:
        return _event_id(source, part)
    message = message_event_id(source.provider, source.account, source.origin.chat, given)
    if not is_empty(source.payload, source.protocol):
        return message
    return notice_event_id(message, message_type(source.payload, source.protocol))


def _event_id(source: GatewayEventSource, part: MessagePart | None) -> str:
    if part is None or part.event_id_suffix is None:
        own = source.payload if source.event in MESSAGE_EVENTS else source.raw
        return event_id(source.provider, source.account, source.envelope, own)
    return message_event_id(source.provider, source.account, source.origin.chat, part.event_id_suffix)


def _message(payload: Json, protocol: Json) -> MessagePart | None:
    held, given = read_content(payload, protocol), bare_id(payload.get("id"))
    if held is None or given is None:
        return None
    kind, content = held
    if kind in _ABOUT_ANOTHER:
        return _about_another(payload, kind, content)
    return MessagePart(payload, kind, content, given)


def _about_another(payload: Json, kind: str, content: dict[str, Any]) -> MessagePart | None:
    """Build a reaction, edit or deletion that an engine sends as a message and not as an event of its own."""
    if kind == "edit":
        original = content.get("original_message_id") or message_id(payload.get("id"))
        return _edit(payload, original, content.get("message"))
    if kind == "revoke":
        return _revoke(payload, content["original_message_id"])
    return MessagePart(payload, kind, content, _reaction_suffix(payload, content) if kind == "reaction" else None)


def _reaction(payload: Json, _: Json) -> MessagePart:
    """Build a reaction. Wawp's documentation gives the emoji where WAHA has an object; an empty one removes it."""
    given = payload.get("reaction")
    content = given if type(given) is dict else {"text": given, "messageId": payload.get("messageId")}
    made = {"message_id": content.get("messageId"), "emoji": content.get("text")}
    return MessagePart(payload, "reaction", made, _reaction_suffix(payload, made))


def _reaction_suffix(payload: Json, content: dict[str, Any]) -> str | None:
    """Return the suffix. A reaction has its own id, but some builds give the id of the message that it is about."""
    own, at = bare_id(payload.get("id")), instant(payload.get("timestamp"))
    named = own is not None and own != bare_id(content.get("message_id"))
    return f"{own}:reaction:{int(at.timestamp()) if at else ''}" if named else None


def _edited(payload: Json, protocol: Json) -> MessagePart | None:
    held = read_content(payload, protocol)
    if held is None:
        return None
    kind, content = held
    now = content.get("message") if kind == "edit" else {"type": kind, kind: _as_edited(payload, kind, content)}
    return _edit(payload, payload.get("editedMessageId"), now)


def _as_edited(payload: Json, kind: str, content: Any) -> Any:
    """Return the content with the event's new text, because the engine's data may still contain the old one."""
    text = payload.get("body")
    name = "body" if kind == "text" else "caption" if kind in CAPTIONED else None
    return content | {name: text} if name and type(text) is str and text else content


def _edit(payload: Json, original: object, now: object) -> MessagePart | None:
    target, own = _composite_id(payload, original), bare_id(payload.get("id"))
    if target is None:
        return None
    named = f"{own}:edit" if own is not None and own != bare_id(target) else None
    made = {"original_message_id": target} | ({"message": now} if now else {})
    return MessagePart(payload, "edit", made, named)


def _revoked(payload: Json, _: Json) -> MessagePart | None:
    """Build a deletion. Wawp names the deleted message by `id`; WAHA by its bare id and as it was before and after."""
    before, after = nested_object(payload, "before"), nested_object(payload, "after")
    holder = next((each for each in (after, before, payload) if each.get("id")), payload)
    original = _composite_id(holder, payload.get("revokedMessageId")) or message_id(
        before.get("id") or payload.get("id")
    )
    return _revoke(holder, original)


def _revoke(holder: Json, original: object) -> MessagePart | None:
    target = _composite_id(holder, original)
    if target is None:
        return None
    named = f"{bare_id(target)}:revoke"
    return MessagePart(holder, "revoke", {"original_message_id": target}, named, f"{target}:revoke")


def _vote(payload: Json, _: Json) -> MessagePart:
    """Build a vote. A changed vote has another time; in builds without times it is another event."""
    vote, poll = nested_object(payload, "vote"), nested_object(payload, "poll")
    chosen = {"poll_message_id": message_id(poll.get("id")), "selected_options": vote.get("selectedOptions")}
    own, at = bare_id(vote.get("id")), vote.get("timestamp")
    named = f"{own}:vote:{at}" if own and type(at) in (int, float, str) and at else None
    return MessagePart(vote | {"replyTo": {"id": poll.get("id")}}, "poll_vote", chosen, named)


def _unreadable_vote(payload: Json, protocol: Json) -> MessagePart:
    """Build a vote that can't be decrypted yet. Once it can, it is another event."""
    part = _vote(payload, protocol)
    return part._replace(content=part.content | {"selected_options": None}, event_id_suffix=None)


MESSAGES: Final = frozenset({"message", "message.any"})
_ABOUT_ANOTHER: Final = frozenset({"edit", "revoke", "reaction", "poll_vote"})
_PARTS: Final[dict[str, Callable[[Json, Json], MessagePart | None]]] = {
    "message": _message,
    "message.any": _message,
    "message.reaction": _reaction,
    "message.edited": _edited,
    "message.revoked": _revoked,
    "poll.vote": _vote,
    "poll.vote.failed": _unreadable_vote,
}
MESSAGE_EVENTS: Final = frozenset(_PARTS)
"""Events that are messages if their content has a model."""
_PLAIN: Final = frozenset({"id", "from", "from_user_id", "from_jid", "group_id", "timestamp", "type", "text"})
"""Fields of a message that is sure to validate, because it was built here."""


def _part(source: GatewayEventSource) -> MessagePart | None:
    build = _PARTS.get(source.event)
    return build(source.payload, source.protocol) if build else None


def _build(source: GatewayEventSource, part: MessagePart) -> Json:
    return _common(source, part) | {"type": part.kind, part.kind: part.content}


def _common(source: GatewayEventSource, part: MessagePart) -> dict[str, Any]:
    """Return the fields that messages of all types have."""
    payload = part.source
    where, who = source.origin.chat, source.origin.author
    at = instant(payload.get("timestamp")) or source.at
    given = part.id or message_id(payload.get("id")) or source.envelope.id
    made: dict[str, Any] = {"id": given, "timestamp": int(at.timestamp())}
    if who and not source.origin.may_be_own:
        made |= person_field(who, "from", "from_user_id") | {"from_jid": who}
    if where and has_many_members(where):
        made["group_id"] = where
    return made | read_references(payload, source.protocol)


def _composite_id(payload: Json, bare: object) -> str | None:
    """Return the composite id for a bare id, with the chat and the author of another message."""
    composite = parse_message_id(payload.get("id"))
    if type(bare) is not str or not bare:
        return None
    if composite is None or parse_message_id(bare):
        return bare
    parts = [str(composite.from_me).lower(), composite.chat, bare, composite.participant]
    return "_".join(part for part in parts if part)
