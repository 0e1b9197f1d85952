"""The result of a send, at the time when the handler asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.topics.events import PlatformType
from pipeline.topics.numbers import phone_digits

_BSUID: Final = re.compile(r"^[A-Z]{2}\.")


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of a send, at the time when the handler asks for it.

    A success means *queued*: the request is within the provider's limits, and its command is published as soon as the
    hook returns and its unit of work is committed; a read mark or typing indicator at once. It does not mean sent: the
    messenger may have to wait for a rate limit, and the provider may reject it. The final outcome is on
    `commands.outcomes` and comes to `process_status`, whose events carry this `command_id` beside the provider's
    `message_id`.

    Attributes:
        success: False if the request can't be sent as it is; `error` then gives the reason, and nothing is queued.
        recipient: the recipient as the handler wrote it.
        message_id: the command's id, used until the provider has given its own; None without success. You can reply to,
            react to, edit and delete the message by this id.
        queued: True if there is a command.
        error: the reason and the remedy, without the text of the message.
        error_code: `VALIDATION` for a request outside the provider's limits, or a code of its own where Wappa has one
            (`BUTTON_TITLE_TOO_LONG`, …); `UNSUPPORTED` for a send that the account's provider does not support.
        tenant_id: the tenant that sends.
        inbox_id: the account that sends (Cloud API: phone_number_id).
        platform: the messaging platform.
        timestamp: the time of the handler's call. UTC.
        api_response: always None: the provider has not been asked yet.
    """

    success: bool
    recipient: str = ""
    message_id: str | None = None
    queued: bool = False
    error: str | None = None
    error_code: str | None = None
    tenant_id: str = ""
    inbox_id: str = ""
    platform: PlatformType = PlatformType.WHATSAPP
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    api_response: None = None

    @property
    def command_id(self) -> str | None:
        """The command's id; None without success."""
        return self.message_id

    @property
    def recipient_bsuid(self) -> str | None:
        """The recipient, if it is a business-scoped user id."""
        return self.recipient if _BSUID.match(self.recipient) else None

    @property
    def recipient_phone(self) -> str | None:
        """The recipient's digits, if it is a phone number."""
        return phone_digits(self.recipient)

    @property
    def recipient_parent_bsuid(self) -> str | None:
        """The recipient, if it is a user id that a group of businesses shares."""
        return self.recipient if self.recipient[2:7] == ".ENT." and self.recipient_bsuid else None

    @property
    def recipient_username(self) -> None:
        """Always None: it is not known before the provider has answered."""


class RefusedSend(SendResult):
    """The result of a send that was refused, which notes whether anybody looks at it.

    Only a refused send pays for that: the result of another one is a plain `SendResult`.
    """

    __slots__ = ("_was_read", "called_from", "kind")

    kind: str
    called_from: str

    def __init__(self, result: SendResult, kind: str, called_from: str) -> None:
        """`kind` is that of the command, `called_from` the file and line of the call."""
        super().__init__(**{each.name: getattr(result, each.name) for each in fields(SendResult)})
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "called_from", called_from)
        object.__setattr__(self, "_was_read", False)

    def __getattribute__(self, name: str) -> Any:
        if name in _PUBLIC:
            object.__setattr__(self, "_was_read", True)
        return object.__getattribute__(self, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SendResult) and all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in _FIELDS))

    def take_unread(self) -> tuple[str, str] | None:
        """Return the code and the reason if nobody has looked at the result; else None."""
        if self._was_read:
            return None
        return str(object.__getattribute__(self, "error_code")), str(object.__getattribute__(self, "error"))


_FIELDS: Final = tuple(each.name for each in fields(SendResult))
_PUBLIC: Final = frozenset(name for name in dir(SendResult) if not name.startswith("_"))

MessageResult = SendResult
