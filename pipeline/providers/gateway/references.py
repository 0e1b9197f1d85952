"""Read the references of a message, from the event's own fields and from the engine's data."""

from __future__ import annotations

from typing import Any

from pipeline.providers.gateway.engine import nested_object
from pipeline.providers.gateway.event_source import person_field
from pipeline.providers.gateway.jids import contact_key, message_id, to_jid
from pipeline.providers.shared import references as protocol
from pipeline.providers.shared.contents import context_info
from pipeline.topics.types import Json


def read_references(payload: Json, message: Json) -> dict[str, Any]:
    """Return `context`, `referral` and `mentions` of a message.

    Args:
        message: the protocol's message, if the engine keeps it. WEBJS has the same fields beside the message.
    """
    info = context_info(message) if message else {}
    found = (
        protocol.read_references(info, _contact)
        if info
        else {}
        if message
        else _beside(nested_object(payload, "_data"))
    )
    answered = _answered(payload)
    return found | {"context": found.get("context", {}) | answered} if answered else found


def _beside(data: Json) -> dict[str, Any]:
    found = {"context": protocol.forward_flags(data), "referral": _advertised(data), "mentions": _mentioned(data)}
    return {name: value for name, value in found.items() if value}


def _mentioned(data: Json) -> list[str]:
    named = data.get("mentionedJidList")
    jids = [each.get("_serialized") if type(each) is dict else each for each in named] if type(named) is list else []
    return [each for jid in jids if (each := _contact(jid))]


def _answered(payload: Json) -> dict[str, Any]:
    reply = nested_object(payload, "replyTo")
    answered, writer = message_id(reply.get("id")), to_jid(reply.get("participant"))
    if answered is None:
        return {}
    return {"id": answered} | (person_field(writer, "from", "from_user_id") if writer else {})


def _advertised(data: dict[str, Any]) -> dict[str, Any]:
    """Return the ad. WEBJS has it beside the message and calls its text a description."""
    context = nested_object(data, "ctwaContext")
    return protocol.read_referral({"body": context.get("description"), **context}) if context else {}


def _contact(value: object) -> str | None:
    jid = to_jid(value)
    return contact_key(jid) if jid else None
