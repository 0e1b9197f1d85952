"""Texts, read marks, reactions, templates, pins, and invitations to groups."""

from __future__ import annotations

import math

from pipeline.providers.cloud.bodies.envelope import MessageContent
from pipeline.topics.commands import Command
from pipeline.topics.types import Json


def text(body: Json) -> MessageContent:
    return MessageContent("text", {"body": string(body, "text"), "preview_url": body.get("preview_url") is True})


def read(command: Command) -> Json:
    """Build a read mark, which has no recipient: its message identifies the conversation."""
    body = {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": string(command.body, "message_id"),
    }
    return body | ({"typing_indicator": {"type": "text"}} if command.body.get("typing") else {})


def reaction(body: Json) -> MessageContent:
    return MessageContent("reaction", {"message_id": string(body, "message_id"), "emoji": body["emoji"]})


def template(body: Json) -> MessageContent:
    content: Json = {"name": string(body, "name"), "language": {"code": string(body, "language")}}
    return MessageContent("template", content | ({"components": body["components"]} if body.get("components") else {}))


def pin(body: Json) -> MessageContent:
    if not body["on"]:
        return MessageContent("pin", {"type": "unpin", "message_id": string(body, "message_id")})
    days = math.ceil(body.get("seconds", 7 * 86_400) / 86_400)
    return MessageContent("pin", {"type": "pin", "message_id": string(body, "message_id"), "expiration_days": days})


def group_invite(body: Json) -> MessageContent:
    """Build a text with the group's link, which `deliver` requested, because there is no message type for it."""
    lines = [each for each in (body.get("text"), body["link"]) if each]
    return MessageContent("text", {"body": "\n".join(lines), "preview_url": True})


def string(body: Json, name: str) -> str:
    """Return a field that must be a non-empty string. Raises `KeyError` otherwise."""
    value = body[name]
    if not isinstance(value, str) or not value:
        raise KeyError(name)
    return value
