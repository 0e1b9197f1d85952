"""Build locations and contact cards."""

from __future__ import annotations

from pipeline.providers.cloud.bodies.envelope import MessageContent
from pipeline.topics.types import Json

_PLACE = ("latitude", "longitude", "name", "address")


def location(body: Json) -> MessageContent:
    place = {name: body[name] for name in _PLACE if body.get(name) is not None}
    return MessageContent("location", {"latitude": place["latitude"], "longitude": place["longitude"]} | place)


def contacts(body: Json) -> MessageContent:
    return MessageContent("contacts", list(body["contacts"]))
