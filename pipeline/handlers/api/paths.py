"""The paths below `/api/whatsapp/`, and the method of the messenger that each of them calls."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pipeline.errors import InvalidRecord, Unsendable
from pipeline.handlers.api import bodies
from pipeline.handlers.messenger import MESSENGER
from pipeline.handlers.outbound import checks
from pipeline.handlers.results import SendResult
from pipeline.topics.events import APIMessageEvent
from pipeline.topics.events.api import READ


class ApiMethod(NamedTuple):
    """A path's method of `IMessenger`, its label in `APIMessageEvent.message_type`, and its body."""

    method: str
    message_type: str
    body: type[bodies.Body]


PATHS: Final[Mapping[str, ApiMethod]] = MappingProxyType(
    {
        "messages/send-text": ApiMethod("send_text", "text", bodies.Text),
        "messages/mark-as-read": ApiMethod("mark_as_read", READ, bodies.Read),
        "media/send-image": ApiMethod("send_image", "image", bodies.Image),
        "media/send-video": ApiMethod("send_video", "video", bodies.Video),
        "media/send-audio": ApiMethod("send_audio", "audio", bodies.Audio),
        "media/send-document": ApiMethod("send_document", "document", bodies.Document),
        "media/send-sticker": ApiMethod("send_sticker", "sticker", bodies.Sticker),
        "interactive/send-buttons": ApiMethod("send_button_message", "button", bodies.Buttons),
        "interactive/send-list": ApiMethod("send_list_message", "list", bodies.List),
        "interactive/send-cta": ApiMethod("send_cta_message", "cta", bodies.Cta),
        "templates/send-text": ApiMethod("send_text_template", "template", bodies.TextTemplate),
        "templates/send-media": ApiMethod("send_media_template", "template", bodies.MediaTemplate),
        "templates/send-location": ApiMethod("send_location_template", "template", bodies.LocationTemplate),
        "specialized/send-contact": ApiMethod("send_contact", "contact", bodies.Contact),
        "specialized/send-location": ApiMethod("send_location", "location", bodies.Location),
        "specialized/send-location-request": ApiMethod(
            "send_location_request", "location_request", bodies.LocationRequest
        ),
    }
)


async def dry_run(event: APIMessageEvent) -> SendResult:
    """Return the messenger's result of the send. The event must be active, as in a hook; its command is the first."""
    call = PATHS.get(event.path)
    if call is None:
        raise InvalidRecord(f"there is no send {event.path}: a newer version has written it")
    try:
        arguments = checks.model(call.body, event.request_payload).arguments()
    except Unsendable as error:
        return _failed_result(event, error)
    if event.message_type != READ:
        arguments["recipient"] = event.recipient
    result: SendResult = await getattr(MESSENGER, call.method)(**arguments)
    return result


async def execute(event: APIMessageEvent) -> None:
    """Queue the send. Raises `InvalidRecord` if the API accepted it but this version's messenger rejects it."""
    result = await dry_run(event)
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
