"""Videos."""

from __future__ import annotations

from typing import Literal

from pipeline.topics.events.messages.media import MediaContent, MediaMessage


class VideoContent(MediaContent):
    """`note`: a round video note, recorded and not attached. `width` and `height` are in pixels."""

    note: bool | None = None
    width: int | None = None
    height: int | None = None


class VideoMessage(MediaMessage):
    """A video. A provider fills `video` (`VideoContent`)."""

    type: Literal["video"]
    video: VideoContent

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """Width and height, where the provider tells them (the Cloud API does not)."""
        width, height = self.video.width, self.video.height
        return (width, height) if width is not None and height is not None else None
