"""What a message refers to, by the event's own fields and by the engine's data."""

from __future__ import annotations

from typing import Any

from pipeline.providers.shared import references as protocol
from pipeline.providers.shared.contents import context_info
from pipeline.providers.waha.engine import Json, inner
from pipeline.providers.waha.identity import Payload
from pipeline.providers.waha.jids import addressed, contact, message_id
from pipeline.providers.waha.people import names


def references(payload: Payload, message: Json) -> dict[str, Any]:
    """`context`, `referral` and `mentions` of a message, as far as they are told.

    Args:
        message: the protocol's, where the engine keeps it; WEBJS has the same beside the message.
    """
    info = context_info(message) if message else {}
    found = protocol.references(info, _contact) if info else {} if message else _beside(inner(payload, "_data"))
    answered = _answered(payload)
    return found | {"context": found.get("context", {}) | answered} if answered else found


def _beside(data: Json) -> dict[str, Any]:
    found = {"context": protocol.forwarding(data), "referral": _advertised(data), "mentions": _mentioned(data)}
    return {name: value for name, value in found.items() if value}


def _mentioned(data: Json) -> list[str]:
    named = data.get("mentionedJidList")
    jids = [each.get("_serialized") if type(each) is dict else each for each in named] if type(named) is list else []
    return [each for jid in jids if (each := _contact(jid))]


def _answered(payload: Payload) -> dict[str, Any]:
    reply = inner(payload, "replyTo")
    answered, writer = message_id(reply.get("id")), addressed(reply.get("participant"))
    if answered is None:
        return {}
    return {"id": answered} | (names(writer, "from", "from_user_id") if writer else {})


def _advertised(data: dict[str, Any]) -> dict[str, Any]:
    """WEBJS has the ad beside the message, and calls its text a description."""
    context = inner(data, "ctwaContext")
    return protocol.referral({"body": context.get("description"), **context}) if context else {}


def _contact(value: object) -> str | None:
    jid = addressed(value)
    return contact(jid) if jid else None
