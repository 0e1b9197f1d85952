"""Documents."""

from __future__ import annotations

from typing import Literal

from pipeline.topics.events.messages.media import MediaContent, MediaMessage
from pipeline.topics.events.model import Flag

_OFFICE = ("msword", "officedocument", "ms-excel", "ms-powerpoint", "opendocument")


class DocumentMessage(MediaMessage):
    """A file of any type. A provider fills `document` (`MediaContent`), with `filename` where it has one."""

    type: Literal["document"]
    document: MediaContent

    @property
    def filename(self) -> str | None:
        """The sender's name for the file."""
        return self.document.filename

    @property
    def file_extension(self) -> str:
        """The extension of that name."""
        return self.get_file_extension()

    @property
    def is_pdf(self) -> Flag:
        """True for a PDF."""
        return Flag(self.media_type == "application/pdf")

    @property
    def is_office_document(self) -> Flag:
        """True for a text, sheet or presentation of an office suite."""
        return Flag(any(word in self.media_type for word in _OFFICE))

    @property
    def is_text_file(self) -> Flag:
        """True for plain text."""
        return Flag(self.media_type.startswith("text/"))
