"""The paths below `/api/whatsapp/`, and the method of the messenger that each of them calls."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pipeline.errors import InvalidRecord, Unsendable
from pipeline.handlers.api import bodies
from pipeline.handlers.context import current
from pipeline.handlers.messenger import MESSENGER
from pipeline.handlers.outbound import checks
from pipeline.handlers.results import SendResult
from pipeline.topics.events import APIMessageEvent
from pipeline.topics.events.api import READ
from pipeline.topics.types import Json


class ApiMethod(NamedTuple):
    """One path of the API.

    Attributes:
        method: the method of `IMessenger`.
        message_type: the label in `APIMessageEvent.message_type`.
        body: the model of the JSON body.
    """

    method: str
    message_type: str
    body: type[bodies.SendBody]


PATHS: Final[Mapping[str, ApiMethod]] = MappingProxyType(
    {
        "messages/send-text": ApiMethod("send_text", "text", bodies.TextBody),
        "messages/mark-as-read": ApiMethod("mark_as_read", READ, bodies.ReadBody),
        "media/send-image": ApiMethod("send_image", "image", bodies.ImageBody),
        "media/send-video": ApiMethod("send_video", "video", bodies.VideoBody),
        "media/send-audio": ApiMethod("send_audio", "audio", bodies.AudioBody),
        "media/send-document": ApiMethod("send_document", "document", bodies.DocumentBody),
        "media/send-sticker": ApiMethod("send_sticker", "sticker", bodies.StickerBody),
        "interactive/send-buttons": ApiMethod("send_button_message", "button", bodies.ButtonsBody),
        "interactive/send-list": ApiMethod("send_list_message", "list", bodies.ListBody),
        "interactive/send-cta": ApiMethod("send_cta_message", "cta", bodies.CtaBody),
        "templates/send-text": ApiMethod("send_text_template", "template", bodies.TextTemplateBody),
        "templates/send-media": ApiMethod("send_media_template", "template", bodies.MediaTemplateBody),
        "templates/send-location": ApiMethod("send_location_template", "template", bodies.LocationTemplateBody),
        "specialized/send-contact": ApiMethod("send_contact", "contact", bodies.ContactBody),
        "specialized/send-location": ApiMethod("send_location", "location", bodies.LocationBody),
        "specialized/send-location-request": ApiMethod(
            "send_location_request", "location_request", bodies.LocationRequestBody
        ),
    }
)


OLD_LANGUAGE: Final = "es"
"""The language of a template without one, if neither its tenant has one: older versions accepted it, and meant this."""
UPLOAD_PATHS: Final = frozenset(path for path, call in PATHS.items() if issubclass(call.body, bodies.MediaBody))
"""The paths that take a file in a form."""


async def dry_run(event: APIMessageEvent, language: str | None = None) -> SendResult:
    """Return the messenger's result of the send. The event must be active, as in a hook; its command is the first.

    `language` is that of a template which has none, neither by itself nor by its tenant.
    """
    call = PATHS.get(event.path)
    if call is None:
        raise InvalidRecord(f"there is no send {event.path}: a newer version has written it")
    try:
        arguments = _arguments(call.body, event)
    except Unsendable as error:
        return _failed_result(event, error)
    if "language_code" in arguments and arguments["language_code"] is None:
        arguments["language_code"] = current().services.languages.get(event.tenant_id, language)
    if event.message_type != READ:
        arguments["recipient"] = event.recipient
    result: SendResult = await getattr(MESSENGER, call.method)(**arguments)
    return result


def _arguments(kind: type[bodies.SendBody], event: APIMessageEvent) -> Json:
    """Return the arguments of the messenger's method. The id of an upload stands for its file. Raises `Unsendable`."""
    name = kind.__name__.removesuffix("Body")  # as callers of the API see it in error messages
    if event.upload is None:
        return checks.model(kind, event.request_payload, name=name).arguments()
    body = checks.model(kind, event.request_payload | {bodies.MEDIUM: event.upload.id}, name=name)
    return body.arguments() | {body.renamed[bodies.MEDIUM]: event.upload}


async def execute(event: APIMessageEvent) -> None:
    """Queue the send. Raises `InvalidRecord` if the API accepted it but this version's messenger rejects it."""
    result = await dry_run(event, OLD_LANGUAGE)
    if not result.success:
        raise InvalidRecord(f"the send can't be carried out: {result.error}")


def _failed_result(event: APIMessageEvent, error: Unsendable) -> SendResult:
    return SendResult(
        False,
        event.recipient,
        error=str(error),
        error_code=error.code,
        tenant_id=event.tenant_id,
        inbox_id=event.account,
    )
