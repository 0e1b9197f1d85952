"""Build images, videos, audio, documents and stickers, by the id of an upload or by a public link."""

from __future__ import annotations

from pipeline.errors import UnsupportedCommand
from pipeline.providers.cloud.bodies.envelope import MessageContent
from pipeline.topics.types import Json


def image(body: Json) -> MessageContent:
    return MessageContent("image", _captioned(body))


def video(body: Json) -> MessageContent:
    return MessageContent("video", _captioned(body))


def audio(body: Json) -> MessageContent:
    return MessageContent("audio", source(body["media"]) | ({"voice": True} if body.get("voice") else {}))


def document(body: Json) -> MessageContent:
    return MessageContent("document", named(body["media"]) | _caption(body))


def sticker(body: Json) -> MessageContent:
    return MessageContent("sticker", source(body["media"]))


def source(medium: Json) -> Json:
    """Return `{"id"}` or `{"link"}`. Raises `UnsupportedCommand` for inline data, because Meta requires an upload."""
    for name in ("id", "link"):
        if medium.get(name):
            return {name: medium[name]}
    if medium.get("data"):
        raise UnsupportedCommand("the Cloud API takes no file within a message: upload it and send its id")
    raise KeyError("media")


def named(medium: Json) -> Json:
    return source(medium) | ({"filename": medium["filename"]} if medium.get("filename") else {})


def _captioned(body: Json) -> Json:
    if body.get("view_once"):
        raise UnsupportedCommand("the Cloud API can't send media that are seen once")
    return source(body["media"]) | _caption(body)


def _caption(body: Json) -> Json:
    return {"caption": body["caption"]} if body.get("caption") else {}
