"""What a send gives back, and how much it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from topics.events import PlatformType


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of a send when the handler asked for it.

    A success means *queued*: the request is within the provider's limits, and its command is published as soon as the
    hook returns and its unit of work is committed. It does not mean sent: the messenger may have to wait for a rate
    limit, and the provider may refuse. What became of it in the end is on `commands.outcomes` and comes to
    `process_status`, whose events carry this `command_id` beside the provider's `message_id`.

    Attributes:
        success: False when the request can't be sent as it is; `error` then says why, and nothing is queued.
        queued: whether there is a command; the same as `success` until sends of other kinds exist.
        message_id: the command's id, as long as the provider has not given its own; None without success.
        error_code: `VALIDATION` for a request outside the provider's limits.
        timestamp: when the handler asked. UTC.
    """

    success: bool
    recipient: str = ""
    message_id: str | None = None
    queued: bool = False
    error: str | None = None
    error_code: str | None = None
    tenant_id: str = ""
    platform: PlatformType = PlatformType.WHATSAPP
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def command_id(self) -> str | None:
        return self.message_id


MessageResult = SendResult
