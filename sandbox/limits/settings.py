"""The limits of an account: what `limits` and `account_limits` of `/_sandbox/faults` and the accounts file hold.

Sources: Meta's pages on throughput, the pair rate and messaging limits; Wasender, rate limits; Wawp, rate policy.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

LimitKind = Literal[
    "messages_per_second",
    "pair",
    "messages_per_minute",
    "messages_per_day",
    "seconds_between",
    "messaging_tier",
    "service_window",
    "marketing_opt_out",
]
"""The limit that a message exceeds, by the name of its setting. `marketing_opt_out` is the user's own setting."""

WINDOWS: Final[frozenset[LimitKind]] = frozenset({"messages_per_minute", "messages_per_day", "seconds_between"})
"""The limits of plans and rate policies."""
LARGEST_TIER: Final = 100_000
"""Above it Meta's next tier is unlimited."""


class SandboxLimits(BaseModel):
    """Limits of an account. None is no limit.

    Attributes:
        messages_per_second: throughput of a sending number (Cloud API: 80, 1,000, or 20 in coexistence).
        burst: messages that may come at once; None for those of one second.
        count_inbound: users' messages count in the throughput of a Cloud API number, as Meta counts them.
        pair: messages to one user. `bucket`: 45 at once, and one more every 6 s. `debt`: 45 within 6 s, and no more
            until 6 s for each of them have passed. `strict` is the old name of `debt`.
        jitter: the network may bring messages closer together than they were sent. So a message that would be within
            the pair limit or a window up to this many seconds later is within it. The throughput has its burst.
        messages_per_minute: in any 60 seconds.
        messages_per_day: in any 24 hours.
        seconds_between: seconds from one message to the next (account protection of Wasender and Wawp).
        messaging_tier: users to whom a business may send templates outside the service window, in any 24 hours (Meta:
            250, 2,000, 10,000 or 100,000). Numbers of one `business_id` share it.
        service_window: seconds after a user's last message in which messages other than templates may be sent (Meta:
            86,400).
        marketing_templates: names of templates that are marketing. What comes to `marketing_messages` is, too.
        refuse_by: messages over `messaging_tier`, outside `service_window` or against a user's opt-out are rejected
            with the `answer`, or accepted and then reported as failed by `status`. Meta does both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages_per_second: float | None = Field(80.0, gt=0)
    burst: int | None = Field(None, gt=0)
    count_inbound: bool = True
    pair: Literal["bucket", "debt", "off"] = "off"
    jitter: float = Field(0.1, ge=0, le=1)
    messages_per_minute: int | None = Field(None, gt=0)
    messages_per_day: int | None = Field(None, gt=0, le=1_000_000)
    seconds_between: float | None = Field(None, gt=0)
    messaging_tier: int | None = Field(None, gt=0, le=LARGEST_TIER)
    service_window: float | None = Field(None, gt=0)
    marketing_templates: frozenset[str] = frozenset()
    refuse_by: Literal["answer", "status"] = "status"

    @field_validator("pair", mode="before")
    @classmethod
    def _older_names(cls, given: object) -> object:
        if given is None:
            return "off"
        return "debt" if given == "strict" else given

    @property
    def capacity(self) -> float:
        return self.burst or max(1.0, self.messages_per_second or 1.0)

    def with_given(self, given: SandboxLimits) -> SandboxLimits:
        """Return these limits with the fields that `given` names."""
        return self.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})


DEFAULT_LIMITS: Final = SandboxLimits()
NOTHING_GIVEN: Final = SandboxLimits()
"""Limits of an account that are those of all accounts."""
