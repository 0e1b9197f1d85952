"""The JSON bodies of the HTTP API, with the field names of Wappa's request models (0.1 and 0.31).

They check types, and bound the size of what is kept of a send. The messenger checks the rest, here as in handlers.
Fields that Wappa accepts and ignores (`description`, `transcript`, the names of the kind) are ignored here too. Any
other field is rejected: with a misspelt name the send would not be what its caller meant.

`tools/openapi` describes them to callers, who then read their docstrings.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import Unsendable
from pipeline.handlers.api.described import DescribedAs
from pipeline.handlers.media.sources import as_reference
from pipeline.handlers.outbound.contacts import ContactCard
from pipeline.handlers.outbound.models import InteractiveHeader, ListSection, ReplyButton
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
        recipient: a phone number with its country code, a business-scoped user id, a group id or a JID.
        user_id: the user whose caches the hook uses; by default the recipient.
        reply_to_message_id: the message that it replies to, by the provider's id or by the `message_id` of an answer.
        priority: `interactive` (the default) answers somebody; `bulk` (the default of a marketing template) is a
            campaign.
        expires_in: seconds after which it is not sent.
        campaign: groups sends in reports: 1 to 64 characters of `A-Z`, `a-z`, `0-9`, `_` and `-`.
        tags: the same, up to five.
    """

    unsent: ClassVar[frozenset[str]] = frozenset()
    """The fields that are not arguments of the messenger's method."""
    renamed: ClassVar[dict[str, str]] = {}
    """The fields whose argument has another name."""

    recipient: Any
    user_id: Id | None = None
    reply_to_message_id: Id | None = None
    priority: Literal["interactive", "bulk"] = "interactive"  # what is not given is not passed on: see `arguments`
    expires_in: float | None = None
    campaign: Name | None = None
    tags: list[Name] | None = None

    def arguments(self) -> Json:
        """Return the arguments of the messenger's method, without the recipient. Raises `Unsendable`."""
        given = self.model_dump(exclude_unset=True, exclude={"recipient", "user_id", *self.unsent})
        return {self.renamed.get(name, name): value for name, value in given.items()}


class TextBody(SendBody):
    """A text.

    Attributes:
        text: 1 to 4,096 characters.
        disable_preview: True for no preview of the first link.
    """

    recipient: Recipient
    text: Words
    disable_preview: bool = False


class ReadBody(SendBody):
    """A read mark. Meta's names a message only; the gateways' need the chat as recipient.

    Attributes:
        recipient: the chat, for gateways only.
        message_id: the received message, which is marked with all before it.
        typing: True to show a typing indicator, too.
    """

    unsent = frozenset({"reply_to_message_id"})

    recipient: Recipient | None = None
    message_id: Id
    typing: bool = False


class MediaBody(SendBody):
    """A medium by its URL or by the provider's id. A path is rejected: it would name a file of our own machine.

    A file comes in a form (`pipeline.ingress.send_form`); the messenger then gets the upload instead.

    Attributes:
        media_source: a URL that the provider can fetch, or the provider's id of a medium; in a form the file.
        media_type: taken for Wappa's callers, and ignored: the path says it.
        description: taken for Wappa's callers, and ignored.
        transcript: taken for Wappa's callers, and ignored.
        caption: the text below, up to 1,024 characters.
        filename: the name that the recipient sees, up to 240 characters.
        is_voice: True for a voice note: OGG with Opus.
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
    """A message with something to tap.

    Attributes:
        body: the text, up to 1,024 characters; a list's up to 4,096.
        header: a text of up to 60 characters, or a medium; a list's is a text.
        footer: the text below, up to 60 characters.
        interactive_type: taken for Wappa's callers, and ignored: the path says it.
    """

    unsent = frozenset({"interactive_type"})

    recipient: Recipient
    body: Words
    header: Annotated[Json, DescribedAs(InteractiveHeader)] | Words | None = None
    footer: Words | None = None
    interactive_type: Name | None = None


class ButtonsBody(_Interactive):
    """Reply buttons.

    Attributes:
        buttons: 1 to 3, with different ids and titles.
    """

    buttons: list[Annotated[Json, DescribedAs(ReplyButton)]]


class ListBody(_Interactive):
    """A list of rows.

    Attributes:
        button_text: of the button that opens it, up to 20 characters.
        sections: 1 to 10, with 1 to 10 rows together.
    """

    button_text: Name
    sections: list[Annotated[Json, DescribedAs(ListSection)]]


class CtaBody(_Interactive):
    """A button that opens a URL.

    Attributes:
        button_text: up to 20 characters.
        button_url: the URL that it opens.
    """

    button_text: Name
    button_url: Url


class ContactBody(SendBody):
    """A contact card.

    Attributes:
        contact: the card, as the Cloud API writes it.
    """

    recipient: Recipient
    contact: Annotated[Json, DescribedAs(ContactCard)]


class LocationBody(SendBody):
    """A place.

    Attributes:
        latitude: degrees, -90 to 90.
        longitude: degrees, -180 to 180.
        name: up to 100 characters.
        address: up to 1,000 characters.
    """

    recipient: Recipient
    latitude: float
    longitude: float
    name: Name | None = None
    address: Name | None = None


class LocationRequestBody(SendBody):
    """A request for the user's location.

    Attributes:
        body: the text, up to 1,024 characters.
    """

    recipient: Recipient
    body: Words


class TemplateLanguage(_Model):
    """The language of a template, as Wappa 0.1 names it.

    Attributes:
        code: e.g. `es` or `en_US`.
    """

    code: Name | None = None


class TemplateRouting(_Model):
    """The way of a marketing template.

    Attributes:
        policy: `category_default`, or `cloud_messages_fallback` to leave out Meta's endpoint for marketing messages.
    """

    policy: Name = "category_default"


class TemplateRecipient(_Model):
    """The recipient of a template, as Wappa 0.31 names it.

    Attributes:
        kind: `phone_number` or `bsuid`, a business-scoped user id.
        value: the recipient.
    """

    kind: Literal["phone_number", "bsuid"] = "phone_number"
    value: Recipient


class TemplateBody(SendBody):
    """A template.

    Wappa 0.1 has `language` and `template_type` (its header's); 0.31 `language_code`, `category`, `routing`.

    Attributes:
        template_name: up to 512 characters.
        kind: taken for Wappa's callers, and ignored: the path says it.
        language: the language, by its other name.
        language_code: the language, e.g. `es` or `en_US`. It may be missing if the tenant has a `template_language`.
        category: `marketing`, `utility` or `authentication`, as Meta approved it.
        template_type: the category, by its other name.
        routing: the way of a marketing template.
        body_parameters: up to 10 texts; `{"type": "text", "text": …, "parameter_name": …}` for named variables.
    """

    unsent = frozenset({"kind", "language", "category", "template_type", "routing"})

    recipient: Recipient | TemplateRecipient
    template_name: Name
    kind: Name | None = None
    language: TemplateLanguage | None = None
    language_code: Name | None = None
    category: Name | None = None
    template_type: Name | None = None
    routing: TemplateRouting = TemplateRouting()
    body_parameters: list[Words | Json] | None = None

    def arguments(self) -> Json:
        """Return the arguments of the messenger's method, without the recipient."""
        given = super().arguments()
        given["language_code"] = self.language_code or (self.language.code if self.language else None)
        given["template_type"] = self.category or (None if self.template_type in _LABELS else self.template_type)
        return given | {"routing_policy": self.routing.policy}


class TextTemplateBody(TemplateBody):
    """A template with a text header or none.

    Attributes:
        authentication_method: of a one-time code: `one_tap`, `zero_tap` or `copy_code`.
        authentication_button_index: the place of its button, 0 to 9.
    """

    authentication_method: Name | None = None
    authentication_button_index: int = 0


class MediaHeader(_Model):
    """The medium of a template, by exactly one of its id and its URL.

    Attributes:
        media_type: `image`, `video` or `document`.
        media_id: the provider's id.
        media_url: a URL that the provider can fetch.
    """

    media_type: Name
    media_id: Id | None = None
    media_url: Url | None = None


class MediaTemplateBody(TemplateBody):
    """A template with a medium. Wappa 0.31 puts it into `media_header`, 0.1 beside the other fields.

    Attributes:
        media_header: the medium.
        media_type: `image`, `video` or `document`.
        media_id: the provider's id.
        media_url: a URL that the provider can fetch.
    """

    unsent = TemplateBody.unsent | {"media_header"}

    media_header: MediaHeader | None = None
    media_type: Name | None = None
    media_id: Id | None = None
    media_url: Url | None = None

    def arguments(self) -> Json:
        """Return the arguments of the messenger's method, without the recipient."""
        header = self.media_header.model_dump() if self.media_header else {"media_type": self.media_type}
        return super().arguments() | header


class LocationHeader(_Model):
    """The place of a template.

    Attributes:
        latitude: degrees, -90 to 90.
        longitude: degrees, -180 to 180.
        name: up to 100 characters.
        address: up to 1,000 characters.
    """

    latitude: Name | float
    longitude: Name | float
    name: Name
    address: Name


class LocationTemplateBody(TemplateBody):
    """A template with a place. Wappa 0.31 puts it into `location_header`, 0.1 beside the other fields.

    Attributes:
        location_header: the place.
        latitude: degrees, -90 to 90.
        longitude: degrees, -180 to 180.
        name: up to 100 characters.
        address: up to 1,000 characters.
    """

    unsent = TemplateBody.unsent | {"location_header"}

    location_header: LocationHeader | None = None
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
