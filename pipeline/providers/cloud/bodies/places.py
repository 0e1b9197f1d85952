"""Locations and contact cards."""

from __future__ import annotations

from typing import Any

from pipeline.providers.cloud.bodies.envelope import Content

Body = dict[str, Any]

_PLACE = ("latitude", "longitude", "name", "address")


def location(body: Body) -> Content:
    place = {name: body[name] for name in _PLACE if body.get(name) is not None}
    return Content("location", {"latitude": place["latitude"], "longitude": place["longitude"]} | place)


def contacts(body: Body) -> Content:
    return Content("contacts", list(body["contacts"]))
