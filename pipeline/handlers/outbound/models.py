"""Models of the parts of sends, by Wappa's names. Every send takes a dict with the same fields as well.

They check types only. The send checks lengths and has the error in its result: a title that is too long should not end
a handler in an exception.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class HeaderType(StrEnum):
    """The types of a header."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    DOCUMENT = "document"


class _Model(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class ReplyButton(_Model):
    """A reply button. `id` (up to 256 characters) comes back when the user taps; `title` has up to 20."""

    id: str
    title: str


class ListRow(_Model):
    """A row of a list: up to 200, 24 and 72 characters. The id comes back when the user chooses the row."""

    id: str
    title: str
    description: str | None = None


class ListSection(_Model):
    """Rows under a title (up to 24 characters), which is optional if there is only one section."""

    rows: list[ListRow]
    title: str | None = None


class InteractiveHeader(_Model):
    """The header above a body: a text of up to 60 characters, or a medium as `{"id": …}` or `{"link": …}`."""

    type: HeaderType
    text: str | None = None
    image: dict[str, Any] | None = None
    video: dict[str, Any] | None = None
    document: dict[str, Any] | None = None


class CarouselCard(_Model):
    """One card: an image or a video, up to 160 characters of text, and either buttons or one link.

    Attributes:
        header: of type image or video.
        buttons: quick replies, as many on each card.
        button_text: of the link, with `button_url`.
    """

    header: InteractiveHeader
    body: str | None = None
    buttons: list[ReplyButton] | None = None
    button_text: str | None = None
    button_url: str | None = None


class ProductSection(_Model):
    """Products (SKUs of the catalogue) under a title of up to 24 characters."""

    title: str
    product_retailer_ids: list[str]


class TemplateType(StrEnum):
    """A template's category."""

    MARKETING = "marketing"
    UTILITY = "utility"
    AUTHENTICATION = "authentication"
