"""The contract of a provider: authenticate, split, parse and deliver. A provider never knows Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from aiohttp import ClientResponse, ClientSession

from pipeline.handlers.media.gateway import MediaInfo, Upload, Uploaded
from pipeline.providers.code_policy import CodeTable
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A POST of a webhook, with its body unparsed.

    Attributes:
        headers: names in lower case.
        tenant_id: from the path, for providers that have it there.
        remote: the caller's address, by the peer or by trusted proxies; None if it is unknown.
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
        account: the provider's account (phone_number_id, session); empty if the body does not name it.
        body: bytes to publish; the untouched request body if the webhook contains one conversation only.
    """

    key: str
    account: str
    body: bytes


class AttemptStatus(StrEnum):
    ACCEPTED = "accepted"
    """The provider took it. `message_id` is set if the kind has one."""
    RETRYABLE = "retryable"
    """It was not done, and trying again after `delay` seconds may help."""
    PERMANENT = "permanent"
    """The provider rejected it, and trying again does not help."""
    UNKNOWN = "unknown"
    """The request was written and no answer came: it may or may not have been done."""


@dataclass(frozen=True, slots=True)
class SendAttempt:
    """The provider's answer to one attempt at a command.

    Attributes:
        error_code: the provider's code, whose row in `CodePolicies.codes` decides.
        delay: the least number of seconds until the next attempt.
        answered: False if the provider gave no answer, which shows that it is away: no connection, nothing in time, or
            a proxy answered 502, 503 or 504 in its place. An error of the provider itself is an answer.
    """

    status: AttemptStatus
    message_id: str | None = None
    error_code: int | None = None
    error_message: str | None = None
    delay: float = 0.0
    answered: bool = True


class Provider(Protocol):
    """A WhatsApp platform. `pipeline.testing.ProviderConformance` is the test suite that every provider passes."""

    @property
    def name(self) -> str:
        """The provider's name in paths, keys and headers, e.g. `cloud`."""

    @property
    def kinds(self) -> frozenset[CommandKind]:
        """The kinds of commands that `deliver` can carry out. Handlers get an error for any other kind.

        Name a kind only if every body of `pipeline.topics.commands` for it can be carried out, except for the parts
        that its docstring calls optional. `deliver` raises `UnsupportedCommand` for these parts and for other kinds.
        """

    def contact(self, recipient: str) -> str:
        """Return the contact's part of the conversation key for a command's recipient.

        It is the same as in the webhooks of this person. A phone number may contain punctuation. A text that is no
        recipient is returned unchanged; `deliver` rejects it.
        """

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        """Return True if the provider sent these bytes. Takes constant time; False without a configured secret."""

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        """Return one slice per conversation of an authentic request, in order. An unreadable body is one slice.

        The account is the tenant's if the body does not name it; `parse` finds it in the record's header. Secrets that
        the provider writes into the body are not in the slices.

        Raises:
            OversizeRecord: the webhook would become too large (`providers.shared.size_limits`). Nothing else is raised.
        """

    def parse(self, record: ConsumedRecord) -> Iterable[ParsedEvent]:
        """Return every event of a slice. Raises `InvalidRecord` if the bytes are no JSON object."""

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        """Carry out one command. Raises `UnsupportedCommand` for a kind without an endpoint."""


@runtime_checkable
class HeadAuthenticator(Protocol):
    """A provider that can reject a request by its head: a `Provider` with this method.

    Without the method the ingress reads a request's body before it can reject the request.
    """

    def authenticate_head(self, request: WebhookRequest, tenants: Tenants) -> bool:
        """Return False only if `authenticate` would be False for any body. Takes constant time.

        `body` is empty: it has not been read yet.
        """


@runtime_checkable
class CodePolicies(Protocol):
    """A provider with a table of its error codes: a `Provider` with this attribute.

    Without it the messenger retries every retryable attempt by `pipeline.backoff.TRANSPORT`, no code pauses an account
    or a pair, and none is reported to the operator.
    """

    @property
    def codes(self) -> CodeTable:
        """The rows by which the messenger treats failed attempts."""


@runtime_checkable
class CallbackDataProvider(Protocol):
    """A provider whose statuses bring back what was attached to the send: a `Provider` with this attribute.

    What `pipeline.topics.callback_data` makes must fit into the limit. Without the attribute a status is joined to its
    command by the message's id, which is the id that `deliver` returned.
    """

    @property
    def callback_data_limit(self) -> int:
        """The number of characters that may be attached."""


@runtime_checkable
class ServiceWindowProvider(Protocol):
    """A provider that takes free-form messages for some time after a person's last one: a `Provider` with these.

    Without them no send is refused for its time, and the messages of people are not counted.
    """

    @property
    def service_window(self) -> float:
        """Seconds after a person's last message."""

    @property
    def entry_window(self) -> float:
        """Seconds after a person's last message that came by an ad."""


@runtime_checkable
class MediaProvider(Protocol):
    """A provider that stores media: a `Provider` with these four methods. No other registration is needed.

    A provider without them receives small files within its commands (`{"data": base64}`).

    All methods raise `Unavailable` for transient errors, which are retried because repeating them is harmless, and
    `Unsendable`, with a code of Wappa's media handler, for permanent ones.
    """

    async def upload_media(self, upload: Upload, account: Account, session: ClientSession) -> Uploaded: ...

    async def media_info(self, media_id: str, account: Account, session: ClientSession) -> MediaInfo: ...

    def open_media(
        self, info: MediaInfo, account: Account, session: ClientSession
    ) -> AbstractAsyncContextManager[ClientResponse]:
        """Return the successful response whose body is the medium."""

    async def delete_media(self, media_id: str, account: Account, session: ClientSession) -> None: ...
