"""Images, videos, sounds, documents and stickers, by the id of an upload or by a public link."""

from __future__ import annotations

from typing import Any

from pipeline.errors import UnsupportedCommand
from pipeline.providers.cloud.bodies.envelope import Content

Body = dict[str, Any]


def image(body: Body) -> Content:
    return Content("image", _captioned(body))


def video(body: Body) -> Content:
    return Content("video", _captioned(body))


def audio(body: Body) -> Content:
    return Content("audio", source(body["media"]) | ({"voice": True} if body.get("voice") else {}))


def document(body: Body) -> Content:
    return Content("document", named(body["media"]) | _caption(body))


def sticker(body: Body) -> Content:
    return Content("sticker", source(body["media"]))


def source(medium: Body) -> Body:
    """`{"id"}` or `{"link"}`. Raises `UnsupportedCommand` for a file within the command: Meta wants it uploaded."""
    for name in ("id", "link"):
        if medium.get(name):
            return {name: medium[name]}
    if medium.get("data"):
        raise UnsupportedCommand("the Cloud API takes no file within a message: upload it and send its id")
    raise KeyError("media")


def named(medium: Body) -> Body:
    return source(medium) | ({"filename": medium["filename"]} if medium.get("filename") else {})


def _captioned(body: Body) -> Body:
    if body.get("view_once"):
        raise UnsupportedCommand("the Cloud API can't send media that are seen once")
    return source(body["media"]) | _caption(body)


def _caption(body: Body) -> Body:
    return {"caption": body["caption"]} if body.get("caption") else {}
