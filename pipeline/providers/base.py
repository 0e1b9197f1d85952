"""What a provider is: four verbs, the kinds of command it can do, and whom they mean. None of it knows Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from aiohttp import ClientResponse, ClientSession

from pipeline.handlers.media.gateway import MediaInfo, Upload, Uploaded
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What the door knows of a POST: nothing is parsed yet.

    Attributes:
        headers: names in lower case.
        tenant_id: from the path, for providers that have it there.
        remote: the caller's address, as the peer or the trusted proxies in between tell it; None if it can't be known.
    """

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str]
    tenant_id: str | None = None
    remote: str | None = None


class Slice(NamedTuple):
    """One conversation's part of a webhook, itself a webhook of the provider's own form.

    Attributes:
        key: partition key (`pipeline.topics.keys`).
        account: the provider's account (phone_number_id, session); empty when the body does not say.
        body: bytes to publish; the untouched request body when the webhook has one conversation only.
    """

    key: str
    account: str
    body: bytes


class DeliveryStatus(StrEnum):
    ACCEPTED = "accepted"
    """The provider took it; `message_id` is set where the kind has one."""
    RETRYABLE = "retryable"
    """It was not done, and trying again after `delay` seconds may help."""
    PERMANENT = "permanent"
    """It was refused for good."""
    UNKNOWN = "unknown"
    """It was written to the wire and no answer came: it may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The provider's answer to one attempt at a command. `delay` is what it asked for at least, in seconds."""

    status: DeliveryStatus
    message_id: str | None = None
    error_code: int | None = None
    error_message: str | None = None
    delay: float = 0.0


class Provider(Protocol):
    """A WhatsApp platform. One conformance suite (`tests/support/provider_conformance.py`) holds for all of them."""

    @property
    def name(self) -> str:
        """Its name in paths, keys and headers, e.g. `cloud`."""

    @property
    def kinds(self) -> frozenset[CommandKind]:
        """The kinds that `deliver` can do. Any other is refused at the moment a handler asks for it.

        Name a kind only if every body of `pipeline.topics.commands` for it can be carried out, save for what its
        docstring leaves optional; `deliver` still raises `UnsupportedCommand` for the rest, and for kinds that are not
        here.
        """

    def contact(self, recipient: str) -> str:
        """The contact's part of the conversation key of whom a send names: what this person's webhooks have there.

        A phone number comes in any punctuation. What is no recipient is given back as it is; `deliver` refuses it.
        """

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        """Whether the raw bytes come from the provider. Constant time, and False where no secret is configured."""

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        """One slice for each conversation in an authentic request, in order. What it can't read is one.

        Raises `OversizeRecord`, and nothing else, for a webhook that would become too much (`providers.limits`).

        The account is the tenant's where the body does not name it; `parse` finds it in the record's header. Secrets
        that the provider puts into the body are not in the slices.
        """

    def parse(self, record: Incoming) -> Iterable[WireEvent]:
        """Every event of a slice. Raises `InvalidRecord` when the bytes are not JSON or not an object."""

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> Delivery:
        """Carries out one command. Raises `UnsupportedCommand` for a kind it has no endpoint for."""


@runtime_checkable
class HeadAuthenticator(Protocol):
    """A provider whose requests can be refused by their head: a `Provider` with this method as well.

    Without it a body is waited for before anybody knows that it was not worth it.
    """

    def authenticate_head(self, request: WebhookRequest, tenants: Tenants) -> bool:
        """Whether the request may be authentic. `body` is empty: it has not come yet.

        False only where `authenticate` would be False whatever the body is; constant time, as that is.
        """


@runtime_checkable
class MediaProvider(Protocol):
    """A provider that keeps media: a `Provider` with these four methods as well. No other registration is needed.

    A provider without them is given small files within its commands (`{"data": base64}`).

    All raise `Unavailable` for what may pass (they are tried again, since doing them twice does no harm) and
    `Unsendable`, with a code of Wappa's media handler, for what the provider refuses or does not know.
    """

    async def upload_media(self, upload: Upload, account: Account, session: ClientSession) -> Uploaded: ...

    async def media_info(self, media_id: str, account: Account, session: ClientSession) -> MediaInfo: ...

    def open_media(
        self, info: MediaInfo, account: Account, session: ClientSession
    ) -> AbstractAsyncContextManager[ClientResponse]:
        """The answer whose body is the medium; it has a good status."""

    async def delete_media(self, media_id: str, account: Account, session: ClientSession) -> None: ...
