"""The JSON bodies of the HTTP API, by the field names of both generations of Wappa's request models.

They check types, and bound what is kept of a send. What is too long for a provider or missing is for the messenger to
say, here as in handlers. Fields that Wappa takes and sends nowhere (`description`, `transcript`, the names of the kind)
are taken and go nowhere; any other field is refused, since a name that is misspelt would be a send that is not what its
caller meant.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import Unsendable
from pipeline.handlers.media.sources import as_reference
from pipeline.handlers.validation import MAX_ID_LENGTH

Json = dict[str, Any]
_LABELS: Final = frozenset({"text", "media", "location"})
"""What generation 0.1 called the type of a template: its header's, not its category."""

Recipient = Annotated[str, Field(max_length=256)]
Name = Annotated[str, Field(max_length=1024)]
Id = Annotated[str, Field(max_length=MAX_ID_LENGTH)]
Url = Annotated[str, Field(max_length=8192)]
Words = Annotated[str, Field(max_length=65_536)]
"""Characters. What a provider takes is less, and the messenger's to say; more is nobody's send."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Body(_Model):
    """What every body may have.

    Attributes:
        user_id: whose caches the hook has, where that is not the recipient.
        priority: `interactive` (the default) answers somebody, `bulk` is a campaign.
        expires_in: seconds after which it is not sent.
    """

    unsent: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no argument of the messenger's method."""
    renamed: ClassVar[dict[str, str]] = {}
    """Fields whose argument has another name."""

    recipient: Any
    user_id: Id | None = None
    reply_to_message_id: Id | None = None
    priority: Literal["interactive", "bulk"] = "interactive"
    expires_in: float | None = None

    def arguments(self) -> Json:
        """The arguments of the messenger's method, save for the recipient. Raises `Unsendable`."""
        given = self.model_dump(exclude_unset=True, exclude={"recipient", "user_id", *self.unsent})
        return {self.renamed.get(name, name): value for name, value in given.items()}


class Text(Body):
    recipient: Recipient
    text: Words
    disable_preview: bool = False


class Read(Body):
    """Meta's read mark names a message and nobody; the gateways' need the chat."""

    unsent = frozenset({"reply_to_message_id"})

    recipient: Recipient | None = None
    message_id: Id
    typing: bool = False


class _Media(Body):
    """A medium by its URL or by the provider's id. What would be a path is refused: it would be one of our machines."""

    unsent = frozenset({"description", "transcript", "media_type"})

    recipient: Recipient
    media_source: Url
    media_type: Name | None = None
    description: Words | None = None
    transcript: Words | None = None

    def arguments(self) -> Json:
        if as_reference(self.media_source) is None:
            raise Unsendable("media_source is neither a URL nor a media id: files can't be sent by path", "NO_MEDIA_ID")
        return super().arguments()


class Image(_Media):
    renamed = {"media_source": "image_source"}

    caption: Words | None = None


class Video(_Media):
    renamed = {"media_source": "video_source"}

    caption: Words | None = None


class _Uncaptioned(_Media):
    unsent = _Media.unsent | {"caption", "filename"}

    caption: None = None
    filename: Name | None = None


class Audio(_Uncaptioned):
    renamed = {"media_source": "audio_source"}

    is_voice: bool = False


class Document(_Media):
    renamed = {"media_source": "document_source"}

    caption: Words | None = None
    filename: Name | None = None


class Sticker(_Uncaptioned):
    renamed = {"media_source": "sticker_source"}


class _Interactive(Body):
    unsent = frozenset({"interactive_type"})

    recipient: Recipient
    body: Words
    header: Json | Words | None = None
    footer: Words | None = None
    interactive_type: Name | None = None


class Buttons(_Interactive):
    buttons: list[Json]


class List(_Interactive):
    button_text: Name
    sections: list[Json]


class Cta(_Interactive):
    button_text: Name
    button_url: Url


class Contact(Body):
    recipient: Recipient
    contact: Json


class Location(Body):
    recipient: Recipient
    latitude: float
    longitude: float
    name: Name | None = None
    address: Name | None = None


class LocationRequest(Body):
    recipient: Recipient
    body: Words


class _Language(_Model):
    code: Name = "es"


class _Routing(_Model):
    policy: Name = "category_default"


class _Named(_Model):
    """How generation 0.31 names the recipient of a template."""

    kind: Literal["phone_number", "bsuid"] = "phone_number"
    value: Recipient


class Template(Body):
    """0.1 says `language` and `template_type` (its header's); 0.31 `language_code`, `category` and `routing`."""

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
        given = super().arguments()
        given["language_code"] = self.language_code or self.language.code
        given["template_type"] = self.category or (None if self.template_type in _LABELS else self.template_type)
        return given | {"routing_policy": self.routing.policy}


class TextTemplate(Template):
    authentication_method: Name | None = None
    authentication_button_index: int = 0


class _MediaHeader(_Model):
    media_type: Name
    media_id: Id | None = None
    media_url: Url | None = None


class MediaTemplate(Template):
    """0.31 puts the medium into `media_header`, 0.1 beside the rest."""

    unsent = Template.unsent | {"media_header"}

    media_header: _MediaHeader | None = None
    media_type: Name | None = None
    media_id: Id | None = None
    media_url: Url | None = None

    def arguments(self) -> Json:
        header = self.media_header.model_dump() if self.media_header else {"media_type": self.media_type}
        return super().arguments() | header


class _LocationHeader(_Model):
    latitude: Name | float
    longitude: Name | float
    name: Name
    address: Name


class LocationTemplate(Template):
    """0.31 puts the place into `location_header`, 0.1 beside the rest."""

    unsent = Template.unsent | {"location_header"}

    location_header: _LocationHeader | None = None
    latitude: Name | float | None = None
    longitude: Name | float | None = None
    name: Name | None = None
    address: Name | None = None

    def arguments(self) -> Json:
        named = ("latitude", "longitude", "name", "address")
        return super().arguments() | {name: getattr(self.location_header or self, name) for name in named}


def recipient_of(payload: Json) -> str | None:
    """Whom a body names, in any of its forms; None where it names nobody."""
    found = payload.get("recipient")
    named = found.get("value") if isinstance(found, dict) else found
    return named if isinstance(named, str) and named else None
