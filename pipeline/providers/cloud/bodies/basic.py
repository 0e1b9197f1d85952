"""Texts, read marks, reactions, templates, pins, and invitations to groups."""

from __future__ import annotations

import math
from typing import Any

from pipeline.providers.cloud.bodies.envelope import Content
from pipeline.topics.commands import Command

Body = dict[str, Any]


def text(body: Body) -> Content:
    return Content("text", {"body": string(body, "text"), "preview_url": body.get("preview_url") is True})


def read(command: Command) -> Body:
    """A read mark has no recipient; its message says whose it is."""
    body = {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": string(command.body, "message_id"),
    }
    return body | ({"typing_indicator": {"type": "text"}} if command.body.get("typing") else {})


def reaction(body: Body) -> Content:
    return Content("reaction", {"message_id": string(body, "message_id"), "emoji": body["emoji"]})


def template(body: Body) -> Content:
    content: Body = {"name": string(body, "name"), "language": {"code": string(body, "language")}}
    return Content("template", content | ({"components": body["components"]} if body.get("components") else {}))


def pin(body: Body) -> Content:
    if not body["on"]:
        return Content("pin", {"type": "unpin", "message_id": string(body, "message_id")})
    days = math.ceil(body.get("seconds", 7 * 86_400) / 86_400)
    return Content("pin", {"type": "pin", "message_id": string(body, "message_id"), "expiration_days": days})


def group_invite(body: Body) -> Content:
    """The group's link as a text; `deliver` has asked for it, since the Cloud API has no kind of message for it."""
    lines = [each for each in (body.get("text"), body["link"]) if each]
    return Content("text", {"body": "\n".join(lines), "preview_url": True})


def string(body: Body, name: str) -> str:
    """A field that must be a string with something in it. Raises `KeyError`."""
    value = body[name]
    if not isinstance(value, str) or not value:
        raise KeyError(name)
    return value
