"""What users write and do: messages, reactions, edits, deletions, votes. What the account did itself is an echo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body
from pipeline.providers.times import instant
from pipeline.providers.waha.contents import content
from pipeline.providers.waha.happening import Happening
from pipeline.providers.waha.identity import Payload, chat, event_id, inner, is_ours, message_event_id
from pipeline.providers.waha.jids import STORIES, addressed, is_many, message_id, taken_apart
from pipeline.providers.waha.people import names, sender, user

OFTEN: Final = 5
"""Forwards from which on WhatsApp calls a message frequently forwarded."""


class Part(NamedTuple):
    """What a message is made of.

    Attributes:
        holder: the JSON that says who wrote it, where and when.
        id: the message's; None where `holder` has it.
    """

    holder: Payload
    kind: str
    content: Any
    id: str | None = None


def message(found: Happening, body: Body) -> bool:
    """Makes `body` a message of a user. False for other events, and for what has no model."""
    if is_ours(found.payload) or chat(found.payload) == STORIES:
        return False
    part = _part(found)
    if part is None:
        return False
    made = _shaped(found, part)
    body |= {
        "kind": "message",
        "event_type": f"message.{part.kind}",
        "event_id": message_id_of_event(found),
        "user": user(part.holder),
        "message": made,
    }
    return made.keys() <= _PLAIN or settled(body)


def written(found: Happening) -> Body | None:
    """The message in the Cloud API's shape, whoever wrote it; None for other events and what holds nothing known."""
    part = _part(found)
    return _shaped(found, part) if part else None


def message_id_of_event(found: Happening) -> str:
    """A message has its own id, so `message` and `message.any` are one event; what happens to it has the event's."""
    given = message_id(found.payload.get("id"))
    if found.event in MESSAGES and given:
        return message_event_id(found.provider, found.account, given)
    return event_id(found.provider, found.account, found.enveloped, found.payload)


def _message(payload: Payload) -> Part | None:
    held = content(payload)
    return Part(payload, *held) if held and message_id(payload.get("id")) else None


def _reaction(payload: Payload) -> Part:
    """Wawp's page has the emoji itself where WAHA has an object; an empty one takes the reaction back."""
    given = payload.get("reaction")
    told = given if type(given) is dict else {"text": given, "messageId": payload.get("messageId")}
    return Part(payload, "reaction", {"message_id": told.get("messageId"), "emoji": told.get("text")})


def _edited(payload: Payload) -> Part | None:
    held, original = content(payload), _original(payload, payload.get("editedMessageId"))
    if held is None or original is None:
        return None
    kind, now = held
    return Part(payload, "edit", {"original_message_id": original, "message": {"type": kind, kind: now}})


def _revoked(payload: Payload) -> Part | None:
    """Wawp's page names the deleted message as `id`; WAHA gives its bare id, and the message before and after."""
    before, after = inner(payload, "before"), inner(payload, "after")
    holder = next((each for each in (after, before, payload) if each.get("id")), payload)
    original = _original(holder, payload.get("revokedMessageId")) or message_id(before.get("id") or payload.get("id"))
    if original is None:
        return None
    return Part(holder, "revoke", {"original_message_id": original}, f"{original}:revoke")


def _vote(payload: Payload) -> Part:
    vote, poll = inner(payload, "vote"), inner(payload, "poll")
    chosen = {"poll_message_id": message_id(poll.get("id")), "selected_options": vote.get("selectedOptions")}
    return Part(vote | {"replyTo": {"id": poll.get("id")}}, "poll_vote", chosen)


def _unreadable_vote(payload: Payload) -> Part:
    part = _vote(payload)
    return part._replace(content=part.content | {"selected_options": None})


MESSAGES: Final = frozenset({"message", "message.any"})
_PARTS: Final[dict[str, Callable[[Payload], Part | None]]] = {
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
    return build(found.payload) if build else None


def _shaped(found: Happening, part: Part) -> Body:
    return _common(found, part) | {"type": part.kind, part.kind: part.content}


def _common(found: Happening, part: Part) -> dict[str, Any]:
    """What messages of all types have in common."""
    payload = part.holder
    where, who = chat(payload), sender(payload)
    at = instant(payload.get("timestamp")) or found.at
    given = part.id or message_id(payload.get("id")) or found.enveloped.id
    made: dict[str, Any] = {"id": given, "timestamp": int(at.timestamp())}
    if who and not is_ours(payload):
        made |= names(who, "from", "from_user_id") | {"from_jid": who}
    if where and is_many(where):
        made["group_id"] = where
    context = _context(payload)
    return made | ({"context": context} if context else {})


def _context(payload: Payload) -> dict[str, Any]:
    data, reply = inner(payload, "_data"), inner(payload, "replyTo")
    score = data.get("forwardingScore")
    context: dict[str, Any] = {}
    if data.get("isForwarded") is True:
        context["forwarded"] = True
    if type(score) is int and score >= OFTEN:
        context["frequently_forwarded"] = True
    answered = message_id(reply.get("id"))
    if answered:
        writer = addressed(reply.get("participant"))
        context |= {"id": answered} | (names(writer, "from", "from_user_id") if writer else {})
    return context


def _original(payload: Payload, bare: object) -> str | None:
    """The composite id of the message with this bare id, in the chat and by the author of another one."""
    composite = taken_apart(payload.get("id"))
    if type(bare) is not str or not bare:
        return None
    if composite is None or taken_apart(bare):
        return bare
    parts = [str(composite.from_me).lower(), composite.chat, bare, composite.participant]
    return "_".join(part for part in parts if part)
