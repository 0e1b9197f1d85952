"""Voice messages and audio files."""

from __future__ import annotations

from typing import Literal

from pipeline.topics.events.messages.media import MediaContent, MediaMessage
from pipeline.topics.events.model import Flag


class AudioContent(MediaContent):
    """`voice` is true for a recording, and may be missing."""

    voice: bool | None = None


class AudioMessage(MediaMessage):
    """Something to hear. A provider fills `audio` (`AudioContent`), with `voice` where it can tell."""

    type: Literal["audio"]
    audio: AudioContent

    @property
    def is_voice_message(self) -> Flag:
        """True for a voice note."""
        return Flag(bool(self.audio.voice))

    @property
    def is_voice_recording(self) -> Flag:
        """True for a voice note."""
        return self.is_voice_message

    @property
    def is_audio_file(self) -> Flag:
        """True for any other audio file."""
        return Flag(not self.audio.voice)
