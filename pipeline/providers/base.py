"""What a provider is: four verbs, none of which knows Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from aiohttp import ClientSession

from pipeline.tenants import Account, Tenants
from topics.commands import Command
from topics.events.wire import WireEvent
from topics.records import Incoming


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
        key: partition key (`topics.keys`).
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
    """A WhatsApp platform. One conformance suite (`tests/unit/provider_conformance.py`) holds for all of them."""

    @property
    def name(self) -> str:
        """Its name in paths, keys and headers, e.g. `cloud`."""

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        """Whether the raw bytes come from the provider. Constant time, and False where no secret is configured."""

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        """One slice for each conversation in an authentic request, in order. Never raises: what it can't read is one.

        The account is the tenant's where the body does not name it; `parse` finds it in the record's header. Secrets
        that the provider puts into the body are not in the slices.
        """

    def parse(self, record: Incoming) -> Iterable[WireEvent]:
        """Every event of a slice. Raises `InvalidRecord` when the bytes are not JSON or not an object."""

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> Delivery:
        """Carries out one command. Raises `UnsupportedCommand` for a kind it has no endpoint for."""
