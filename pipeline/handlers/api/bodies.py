"""The JSON bodies of the HTTP API, with the field names of Wappa's request models (0.1 and 0.31).

They check types, and bound the size of what is kept of a send. The messenger checks the rest, here as in handlers.
Fields that Wappa accepts and ignores (`description`, `transcript`, the names of the kind) are ignored here too. Any
other field is rejected: with a misspelt name the send would not be what its caller meant.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import Unsendable
from pipeline.handlers.media.sources import as_reference
from pipeline.handlers.validation import MAX_ID_LENGTH
from pipeline.topics.types import Json

_LABELS: Final = frozenset({"text", "media", "location"})
"""The template types of Wappa 0.1: the type of the header, not the category."""

MEDIUM: Final = "media_source"
"""The field of the medium; in a form, the name of the file."""

Recipient = Annotated[str, Field(max_length=256)]
Name = Annotated[str, Field(max_length=1024)]
Id = Annotated[str, Field(max_length=MAX_ID_LENGTH)]
Url = Annotated[str, Field(max_length=8192)]
Words = Annotated[str, Field(max_length=65_536)]
"""Maximum length of a text, in characters. The providers' limits are lower; the messenger checks them."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SendBody(_Model):
    """The fields that every body may have.

    Attributes:
        recipient: the recipient, in one of the forms that the body allows.
        user_id: the user whose caches the hook uses; by default the recipient.
        reply_to_message_id: the message that it replies to.
        priority: `interactive` (the default) answers somebody; `bulk` (the default of a marketing template) is a
            campaign. The model keeps what was given, so that the messenger's default counts.
        expires_in: seconds after which it is not sent.
        campaign: groups sends in reports.
        tags: the same, up to five.
    """

    unsent: ClassVar[frozenset[str]] = frozenset()
    """The fields that are not arguments of the messenger's method."""
    renamed: ClassVar[dict[str, str]] = {}
    """The fields whose argument has another name."""

    recipient: Any
    user_id: Id | None = None
    reply_to_message_id: Id | None = None
    priority: Literal["interactive", "bulk"] = "interactive"
    expires_in: float | None = None
    campaign: Name | None = None
    tags: list[Name] | None = None

    def arguments(self) -> Json:
        """Return the arguments of the messenger's method, without the recipient. Raises `Unsendable`."""
        given = self.model_dump(exclude_unset=True, exclude={"recipient", "user_id", *self.unsent})
        return {self.renamed.get(name, name): value for name, value in given.items()}


class TextBody(SendBody):
    """A text."""

    recipient: Recipient
    text: Words
    disable_preview: bool = False


class ReadBody(SendBody):
    """A read mark. Meta's names a message only; the gateways' need the chat as recipient."""

    unsent = frozenset({"reply_to_message_id"})

    recipient: Recipient | None = None
    message_id: Id
    typing: bool = False


class MediaBody(SendBody):
    """A medium by its URL or by the provider's id. A path is rejected: it would name a file of our own machine.

    A file comes in a form (`pipeline.ingress.send_form`); the messenger then gets the upload instead.
    """

    unsent = frozenset({"description", "transcript", "media_type"})

    recipient: Recipient
    media_source: Url
    media_type: Name | None = None
    description: Words | None = None
    transcript: Words | None = None

    def arguments(self) -> Json:
        """Return the arguments of the messenger's method, without the recipient. Raises `Unsendable`."""
        if as_reference(self.media_source) is None:
            raise Unsendable("media_source is neither a URL nor a media id: files can't be sent by path", "NO_MEDIA_ID")
        return super().arguments()


class ImageBody(MediaBody):
    """An image."""

    renamed = {"media_source": "image_source"}

    caption: Words | None = None


class VideoBody(MediaBody):
    """A video."""

    renamed = {"media_source": "video_source"}

    caption: Words | None = None


class _Uncaptioned(MediaBody):
    unsent = MediaBody.unsent | {"caption", "filename"}

    caption: None = None
    filename: Name | None = None


class AudioBody(_Uncaptioned):
    """Audio; `is_voice` makes it a voice note."""

    renamed = {"media_source": "audio_source"}

    is_voice: bool = False


class DocumentBody(MediaBody):
    """A document."""

    renamed = {"media_source": "document_source"}

    caption: Words | None = None
    filename: Name | None = None


class StickerBody(_Uncaptioned):
    """A sticker."""

    renamed = {"media_source": "sticker_source"}


class _Interactive(SendBody):
    unsent = frozenset({"interactive_type"})

    recipient: Recipient
    body: Words
    header: Json | Words | None = None
    footer: Words | None = None
    interactive_type: Name | None = None


class ButtonsBody(_Interactive):
    """Reply buttons."""

    buttons: list[Json]


class ListBody(_Interactive):
    """A list of rows."""

    button_text: Name
    sections: list[Json]


class CtaBody(_Interactive):
    """A button that opens a URL."""

    button_text: Name
    button_url: Url


class ContactBody(SendBody):
    """A contact card."""

    recipient: Recipient
    contact: Json


class LocationBody(SendBody):
    """A place, in degrees."""

    recipient: Recipient
    latitude: float
    longitude: float
    name: Name | None = None
    address: Name | None = None


class LocationRequestBody(SendBody):
    """A request for the user's location."""

    recipient: Recipient
    body: Words


class _Language(_Model):
    code: Name = "es"


class _Routing(_Model):
    policy: Name = "category_default"


class _Named(_Model):
    """The recipient of a template, as Wappa 0.31 names it."""

    kind: Literal["phone_number", "bsuid"] = "phone_number"
    value: Recipient


class TemplateBody(SendBody):
    """A template.

    Wappa 0.1 has `language` and `template_type` (its header's); 0.31 `language_code`, `category`, `routing`.
    """

    unsent = frozenset({"kind", "language", "category", "template_type", "routing"})

    recipient: Recipient | _Named
    template_name: Name
    kind: Name | None = None
    language: _Language = _Language()
    language_code: Name | None = None
    category: Name | None = None
    template_type: Name | None = None
    routing: _Routing = _Routing()
    body_parameters: list[Json] | None = None

    def arguments(self) -> Json:
        """Return the arguments of the messenger's method, without the recipient."""
        given = super().arguments()
        given["language_code"] = self.language_code or self.language.code
        given["template_type"] = self.category or (None if self.template_type in _LABELS else self.template_type)
        return given | {"routing_policy": self.routing.policy}


class TextTemplateBody(TemplateBody):
    """A template with a text header or none."""

    authentication_method: Name | None = None
    authentication_button_index: int = 0


class _MediaHeader(_Model):
    media_type: Name
    media_id: Id | None = None
    media_url: Url | None = None


class MediaTemplateBody(TemplateBody):
    """A template with a medium. Wappa 0.31 puts it into `media_header`, 0.1 beside the other fields."""

    unsent = TemplateBody.unsent | {"media_header"}

    media_header: _MediaHeader | None = None
    media_type: Name | None = None
    media_id: Id | None = None
    media_url: Url | None = None

    def arguments(self) -> Json:
        """Return the arguments of the messenger's method, without the recipient."""
        header = self.media_header.model_dump() if self.media_header else {"media_type": self.media_type}
        return super().arguments() | header


class _LocationHeader(_Model):
    latitude: Name | float
    longitude: Name | float
    name: Name
    address: Name


class LocationTemplateBody(TemplateBody):
    """A template with a place. Wappa 0.31 puts it into `location_header`, 0.1 beside the other fields."""

    unsent = TemplateBody.unsent | {"location_header"}

    location_header: _LocationHeader | None = None
    latitude: Name | float | None = None
    longitude: Name | float | None = None
    name: Name | None = None
    address: Name | None = None

    def arguments(self) -> Json:
        """Return the arguments of the messenger's method, without the recipient."""
        named = ("latitude", "longitude", "name", "address")
        return super().arguments() | {name: getattr(self.location_header or self, name) for name in named}


def recipient_of(payload: Json) -> str | None:
    """Return the recipient that a body names, in any of its forms; None if it names nobody."""
    found = payload.get("recipient")
    named = found.get("value") if isinstance(found, dict) else found
    return named if isinstance(named, str) and named else None
