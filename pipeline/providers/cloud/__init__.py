"""Meta's WhatsApp Cloud API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from aiohttp import ClientResponse, ClientSession

from pipeline.handlers.media.gateway import MediaInfo, Upload, Uploaded
from pipeline.providers.base import Delivery, Slice, WebhookRequest
from pipeline.providers.cloud import media
from pipeline.providers.cloud.authenticate import authenticate, authenticate_head, verify
from pipeline.providers.cloud.bodies import KINDS
from pipeline.providers.cloud.deliver import deliver
from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.cloud.parse import parse
from pipeline.providers.cloud.people import digits
from pipeline.providers.cloud.split import split
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming


class Cloud:
    """The Cloud API as a `pipeline.providers.base.Provider`; one app's secret covers all of its numbers."""

    name: Final = PROVIDER
    kinds: Final = KINDS

    def contact(self, recipient: str) -> str:
        return digits(recipient)

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return authenticate(request, tenants)

    def authenticate_head(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return authenticate_head(request, tenants)

    def verify(self, query: Mapping[str, str], tenants: Tenants) -> str | None:
        """The challenge of a subscription handshake, or None when it is refused."""
        return verify(query, tenants)

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return split(request.body)

    def parse(self, record: Incoming) -> Iterable[WireEvent]:
        return parse(record)

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> Delivery:
        return await deliver(command, account, session)

    async def upload_media(self, upload: Upload, account: Account, session: ClientSession) -> Uploaded:
        return await media.upload(upload, account, session)

    async def media_info(self, media_id: str, account: Account, session: ClientSession) -> MediaInfo:
        return await media.info(media_id, account, session)

    def open_media(
        self, info: MediaInfo, account: Account, session: ClientSession
    ) -> AbstractAsyncContextManager[ClientResponse]:
        return media.opened(info, account, session)

    async def delete_media(self, media_id: str, account: Account, session: ClientSession) -> None:
        await media.delete(media_id, account, session)
