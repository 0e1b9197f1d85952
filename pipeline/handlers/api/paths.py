"""Every path below `/api/whatsapp/`, and the method of the messenger that it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pipeline.errors import InvalidRecord, Unsendable
from pipeline.handlers.api import bodies
from pipeline.handlers.messenger import MESSENGER
from pipeline.handlers.results import SendResult
from pipeline.handlers.sends import checks
from pipeline.topics.events import APIMessageEvent
from pipeline.topics.events.api import READ


class Call(NamedTuple):
    """A path's method of `IMessenger`, its label in `APIMessageEvent.message_type`, and its body."""

    method: str
    message_type: str
    body: type[bodies.Body]


PATHS: Final[Mapping[str, Call]] = MappingProxyType(
    {
        "messages/send-text": Call("send_text", "text", bodies.Text),
        "messages/mark-as-read": Call("mark_as_read", READ, bodies.Read),
        "media/send-image": Call("send_image", "image", bodies.Image),
        "media/send-video": Call("send_video", "video", bodies.Video),
        "media/send-audio": Call("send_audio", "audio", bodies.Audio),
        "media/send-document": Call("send_document", "document", bodies.Document),
        "media/send-sticker": Call("send_sticker", "sticker", bodies.Sticker),
        "interactive/send-buttons": Call("send_button_message", "button", bodies.Buttons),
        "interactive/send-list": Call("send_list_message", "list", bodies.List),
        "interactive/send-cta": Call("send_cta_message", "cta", bodies.Cta),
        "templates/send-text": Call("send_text_template", "template", bodies.TextTemplate),
        "templates/send-media": Call("send_media_template", "template", bodies.MediaTemplate),
        "templates/send-location": Call("send_location_template", "template", bodies.LocationTemplate),
        "specialized/send-contact": Call("send_contact", "contact", bodies.Contact),
        "specialized/send-location": Call("send_location", "location", bodies.Location),
        "specialized/send-location-request": Call("send_location_request", "location_request", bodies.LocationRequest),
    }
)


async def asked(event: APIMessageEvent) -> SendResult:
    """What the messenger says to the send. The event is in hand, as in a handler's hook; its command is the first."""
    call = PATHS.get(event.path)
    if call is None:
        raise InvalidRecord(f"there is no send {event.path}: a newer version has written it")
    try:
        arguments = checks.model(call.body, event.request_payload).arguments()
    except Unsendable as error:
        return _refused(event, error)
    if event.message_type != READ:
        arguments["recipient"] = event.recipient
    result: SendResult = await getattr(MESSENGER, call.method)(**arguments)
    return result


async def carry_out(event: APIMessageEvent) -> None:
    """Queues the send. Raises `InvalidRecord` for what the door took and this version's messenger refuses."""
    result = await asked(event)
    if not result.success:
        raise InvalidRecord(f"the send can't be carried out: {result.error}")


def _refused(event: APIMessageEvent, error: Unsendable) -> SendResult:
    return SendResult(
        False,
        event.recipient,
        error=str(error),
        error_code=error.code,
        tenant_id=event.tenant_id,
        inbox_id=event.account,
    )
