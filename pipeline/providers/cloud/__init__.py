"""Meta's WhatsApp Cloud API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.providers.base import Slice, WebhookRequest
from pipeline.providers.cloud import media
from pipeline.providers.cloud.authenticate import answer_handshake, is_authentic, may_be_authentic
from pipeline.providers.cloud.bodies import KINDS
from pipeline.providers.cloud.contacts import to_wa_id
from pipeline.providers.cloud.deliver import send_command
from pipeline.providers.cloud.error_codes import TABLE
from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.cloud.parse import parse_record
from pipeline.providers.cloud.split import split_body
from pipeline.tenants import Tenants


class Cloud:
    """The Cloud API as a `pipeline.providers.base.Provider`. The secret of one app covers all of its numbers."""

    name: Final = PROVIDER
    kinds: Final = KINDS
    codes: Final = TABLE
    callback_data_limit: Final = 512
    service_window: Final = 24 * 3600.0
    """Source: Cloud API, customer service windows."""
    entry_window: Final = 72 * 3600.0
    """Source: Cloud API, free entry points. Whether they allow free-form messages after a day is not documented, so
    these messages are left to Meta."""

    authenticate = staticmethod(is_authentic)
    authenticate_head = staticmethod(may_be_authentic)
    verify = staticmethod(answer_handshake)
    parse = staticmethod(parse_record)
    deliver = staticmethod(send_command)
    upload_media = staticmethod(media.upload_media)
    media_info = staticmethod(media.media_info)
    open_media = staticmethod(media.open_media)
    delete_media = staticmethod(media.delete_media)

    def contact(self, recipient: str) -> str:
        return to_wa_id(recipient)

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return split_body(request.body)
