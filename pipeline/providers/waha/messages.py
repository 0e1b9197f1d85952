"""What users write and do: messages, reactions, edits, deletions, votes. What the account did itself is an echo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body
from pipeline.providers.shared.notices import notice_event_id
from pipeline.providers.times import instant
from pipeline.providers.waha.contents import CAPTIONED, content, holds_nothing, name_of
from pipeline.providers.waha.engine import Json, inner
from pipeline.providers.waha.happening import Happening
from pipeline.providers.waha.identity import Payload, event_id, message_event_id
from pipeline.providers.waha.jids import STORIES, bare_id, is_many, message_id, taken_apart
from pipeline.providers.waha.people import names, user
from pipeline.providers.waha.references import references


class Part(NamedTuple):
    """What a message is made of.

    Attributes:
        holder: the JSON that says who wrote it, where and when.
        name: what makes the id of the event, beside account and shared chat: it is the same whichever address of a
            person is told, and however the event is called. None: the event's own id, for what has nothing better.
        id: the message's; None where `holder` has it.
    """

    holder: Payload
    kind: str
    content: Any
    name: str | None
    id: str | None = None


def message(found: Happening, body: Body) -> bool:
    """Makes `body` a message of a user. False for other events, and for what has no model."""
    if found.origin.ours or found.origin.chat == STORIES:
        return False
    part = _part(found)
    if part is None:
        return False
    made = _shaped(found, part)
    body |= {
        "kind": "message",
        "event_type": f"message.{part.kind}",
        "event_id": _event_id(found, part),
        "user": user(found.origin, found.payload),
        "message": made,
    }
    return made.keys() <= _PLAIN or settled(body)


def written(found: Happening) -> Body | None:
    """The message in the Cloud API's shape, whoever wrote it; None for other events and what holds nothing known."""
    part = _part(found)
    return _shaped(found, part) if part else None


def event_id_of(found: Happening) -> str:
    """The id of an event, which it has whether there is a model for it or not.

    A message has its own, so `message` and `message.any` are one event. What has no content has another: under the
    message's it would make the message that follows a duplicate.
    """
    part, given = _part(found), bare_id(found.payload.get("id"))
    if part or found.event not in MESSAGES or given is None:
        return _event_id(found, part)
    message = message_event_id(found.provider, found.account, found.origin.chat, given)
    if not holds_nothing(found.payload, found.protocol):
        return message
    return notice_event_id(message, name_of(found.payload, found.protocol))


def _event_id(found: Happening, part: Part | None) -> str:
    if part is None or part.name is None:
        own = found.payload if found.event in NAMES else found.raw
        return event_id(found.provider, found.account, found.enveloped, own)
    return message_event_id(found.provider, found.account, found.origin.chat, part.name)


def _message(payload: Payload, protocol: Json) -> Part | None:
    held, given = content(payload, protocol), bare_id(payload.get("id"))
    if held is None or given is None:
        return None
    kind, told = held
    return _of_another(payload, kind, told) if kind in _TARGETED else Part(payload, kind, told, given)


def _of_another(payload: Payload, kind: str, told: dict[str, Any]) -> Part | None:
    """What happened to another message, where an engine does not make an event of its own of it."""
    if kind == "edit":
        return _edit(payload, told.get("original_message_id") or message_id(payload.get("id")), told.get("message"))
    if kind == "revoke":
        return _revoke(payload, told["original_message_id"])
    return Part(payload, kind, told, _reaction_name(payload, told) if kind == "reaction" else None)


def _reaction(payload: Payload, _: Json) -> Part:
    """Wawp's page has the emoji itself where WAHA has an object; an empty one takes the reaction back."""
    given = payload.get("reaction")
    told = given if type(given) is dict else {"text": given, "messageId": payload.get("messageId")}
    made = {"message_id": told.get("messageId"), "emoji": told.get("text")}
    return Part(payload, "reaction", made, _reaction_name(payload, made))


def _reaction_name(payload: Payload, told: dict[str, Any]) -> str | None:
    """A reaction is a message with an id of its own; some builds give that of the message it is about."""
    own, at = bare_id(payload.get("id")), instant(payload.get("timestamp"))
    named = own is not None and own != bare_id(told.get("message_id"))
    return f"{own}:reaction:{int(at.timestamp()) if at else ''}" if named else None


def _edited(payload: Payload, protocol: Json) -> Part | None:
    held = content(payload, protocol)
    if held is None:
        return None
    kind, told = held
    now = told.get("message") if kind == "edit" else {"type": kind, kind: _as_edited(payload, kind, told)}
    return _edit(payload, payload.get("editedMessageId"), now)


def _as_edited(payload: Payload, kind: str, told: Any) -> Any:
    """The new words are in the event; an engine's data may still have the old ones."""
    words = payload.get("body")
    name = "body" if kind == "text" else "caption" if kind in CAPTIONED else None
    return told | {name: words} if name and type(words) is str and words else told


def _edit(payload: Payload, original: object, now: object) -> Part | None:
    target, own = _original(payload, original), bare_id(payload.get("id"))
    if target is None:
        return None
    named = f"{own}:edit" if own is not None and own != bare_id(target) else None
    made = {"original_message_id": target} | ({"message": now} if now else {})
    return Part(payload, "edit", made, named)


def _revoked(payload: Payload, _: Json) -> Part | None:
    """Wawp's page names the deleted message as `id`; WAHA gives its bare id, and the message before and after."""
    before, after = inner(payload, "before"), inner(payload, "after")
    holder = next((each for each in (after, before, payload) if each.get("id")), payload)
    original = _original(holder, payload.get("revokedMessageId")) or message_id(before.get("id") or payload.get("id"))
    return _revoke(holder, original)


def _revoke(holder: Payload, original: object) -> Part | None:
    target = _original(holder, original)
    if target is None:
        return None
    named = f"{bare_id(target)}:revoke"
    return Part(holder, "revoke", {"original_message_id": target}, named, f"{target}:revoke")


def _vote(payload: Payload, _: Json) -> Part:
    """A changed vote has another time; builds that tell no time tell it by another event."""
    vote, poll = inner(payload, "vote"), inner(payload, "poll")
    chosen = {"poll_message_id": message_id(poll.get("id")), "selected_options": vote.get("selectedOptions")}
    own, at = bare_id(vote.get("id")), vote.get("timestamp")
    named = f"{own}:vote:{at}" if own and type(at) in (int, float, str) and at else None
    return Part(vote | {"replyTo": {"id": poll.get("id")}}, "poll_vote", chosen, named)


def _unreadable_vote(payload: Payload, protocol: Json) -> Part:
    """It can be read later: then it is another event."""
    part = _vote(payload, protocol)
    return part._replace(content=part.content | {"selected_options": None}, name=None)


MESSAGES: Final = frozenset({"message", "message.any"})
_TARGETED: Final = frozenset({"edit", "revoke", "reaction", "poll_vote"})
_PARTS: Final[dict[str, Callable[[Payload, Json], Part | None]]] = {
    "message": _message,
    "message.any": _message,
    "message.reaction": _reaction,
    "message.edited": _edited,
    "message.revoked": _revoked,
    "poll.vote": _vote,
    "poll.vote.failed": _unreadable_vote,
}
NAMES: Final = frozenset(_PARTS)
"""The events that are messages, if what they hold has a model."""
_PLAIN: Final = frozenset({"id", "from", "from_user_id", "from_jid", "group_id", "timestamp", "type", "text"})
"""The fields of a message that is sure to validate, because it was made here."""


def _part(found: Happening) -> Part | None:
    build = _PARTS.get(found.event)
    return build(found.payload, found.protocol) if build else None


def _shaped(found: Happening, part: Part) -> Body:
    return _common(found, part) | {"type": part.kind, part.kind: part.content}


def _common(found: Happening, part: Part) -> dict[str, Any]:
    """What messages of all types have in common."""
    payload = part.holder
    where, who = found.origin.chat, found.origin.writer
    at = instant(payload.get("timestamp")) or found.at
    given = part.id or message_id(payload.get("id")) or found.enveloped.id
    made: dict[str, Any] = {"id": given, "timestamp": int(at.timestamp())}
    if who and not found.origin.ours:
        made |= names(who, "from", "from_user_id") | {"from_jid": who}
    if where and is_many(where):
        made["group_id"] = where
    return made | references(payload, found.protocol)


def _original(payload: Payload, bare: object) -> str | None:
    """The composite id of the message with this bare id, in the chat and by the author of another one."""
    composite = taken_apart(payload.get("id"))
    if type(bare) is not str or not bare:
        return None
    if composite is None or taken_apart(bare):
        return bare
    parts = [str(composite.from_me).lower(), composite.chat, bare, composite.participant]
    return "_".join(part for part in parts if part)
