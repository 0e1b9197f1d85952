"""What users write and do: messages, reactions, edits, deletions, votes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body
from pipeline.providers.waha.contents import content
from pipeline.providers.waha.happening import Happening
from pipeline.providers.waha.identity import Payload, chat, event_id, inner, message_event_id
from pipeline.providers.waha.jids import addressed, is_many, message_id, taken_apart
from pipeline.providers.waha.people import names, sender, user
from pipeline.providers.waha.times import instant

OFTEN: Final = 5
"""Forwards from which on WhatsApp calls a message frequently forwarded."""

Part = tuple[str, Any]
"""A type and its content."""


def message(found: Happening, body: Body) -> bool:
    """Makes `body` a message. False, if it holds nothing that has a model.

    `message` and `message.any` of one message become events with one id.
    """
    given = message_id(found.payload.get("id"))
    part = content(found.payload)
    if given is None or part is None:
        return False
    return _settle(found, found.payload, part, message_event_id(found.provider, found.account, given), body)


def reaction(found: Happening, body: Body) -> bool:
    """Wawp's page has the emoji itself where WAHA has an object; an empty one takes the reaction back."""
    payload = found.payload
    given = payload.get("reaction")
    told = given if type(given) is dict else {"text": given, "messageId": payload.get("messageId")}
    part = ("reaction", {"message_id": told.get("messageId"), "emoji": told.get("text")})
    return _happened(found, payload, part, body)


def edited(found: Happening, body: Body) -> bool:
    payload = found.payload
    part, original = content(payload), _original(payload, payload.get("editedMessageId"))
    if part is None or original is None:
        return False
    kind, held = part
    return _happened(found, payload, ("edit", _about(original, {"type": kind, kind: held})), body)


def revoked(found: Happening, body: Body) -> bool:
    """Wawp's page names the deleted message as `id`; WAHA gives its bare id, and the message before and after."""
    payload = found.payload
    holder = next((each for each in (inner(payload, "after"), inner(payload, "before"), payload) if each.get("id")), {})
    bare = payload.get("revokedMessageId")
    original = _original(holder, bare) if bare else message_id(inner(payload, "before").get("id") or payload.get("id"))
    return original is not None and _happened(found, holder, ("revoke", _about(original)), body)


def poll_vote(found: Happening, body: Body) -> bool:
    vote, poll = inner(found.payload, "vote"), inner(found.payload, "poll")
    part = ("poll_vote", {"poll_id": message_id(poll.get("id")), "options": vote.get("selectedOptions")})
    return _happened(found, vote, part, body)


BUILDERS: Final[dict[str, Callable[[Happening, Body], bool]]] = {
    "message": message,
    "message.any": message,
    "message.reaction": reaction,
    "message.edited": edited,
    "message.revoked": revoked,
    "poll.vote": poll_vote,
}


def is_ours(payload: Payload) -> bool:
    """Whether the account itself wrote it, with a phone or through an API: it comes back as an echo."""
    holder = inner(payload, "vote") or payload
    composite = taken_apart(holder.get("id"))
    return holder.get("fromMe") is True or (composite is not None and composite.from_me and "fromMe" not in holder)


def _happened(found: Happening, payload: Payload, part: Part, body: Body) -> bool:
    """Something about a message that is no message itself: it has the event's id, not the message's."""
    return _settle(found, payload, part, event_id(found.provider, found.account, found.enveloped, found.payload), body)


def _settle(found: Happening, payload: Payload, part: Part, event: str, body: Body) -> bool:
    kind, held = part
    made = _message(found, payload) | {"type": kind, kind: held}
    body |= {
        "kind": "message",
        "event_type": f"message.{kind}",
        "event_id": event,
        "user": user(payload),
        "message": made,
    }
    return (kind == "text" and made.keys() <= _PLAIN) or settled(body)


_PLAIN: Final = frozenset({"id", "from", "from_user_id", "from_jid", "group_id", "timestamp", "type", "text"})
"""What is sure to validate, because it was made here."""


def _message(found: Happening, payload: Payload) -> dict[str, Any]:
    """What messages of all types have in common."""
    where, who = chat(payload), sender(payload)
    at = instant(payload.get("timestamp")) or found.at
    made: dict[str, Any] = {"id": message_id(payload.get("id")) or found.enveloped.id, "timestamp": int(at.timestamp())}
    if who:
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


def _about(original: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"original_message_id": original} | ({"message": message} if message else {})
