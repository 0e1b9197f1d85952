"""The statuses of an accepted message, step by step."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class StatusStep(BaseModel):
    """One status of a message.

    Attributes:
        status: the provider's name, e.g. `delivered`.
        after: seconds since the message was accepted.
        code: the provider's error code, for `failed`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: str = Field(min_length=1)
    after: float = Field(ge=0)
    code: int | None = None


DEFAULT_STEPS: Final = (
    StatusStep(status="sent", after=0.05),
    StatusStep(status="delivered", after=0.2),
    StatusStep(status="read", after=0.5),
)


def failing(steps: tuple[StatusStep, ...], code: int) -> tuple[StatusStep, ...]:
    """Return the only step of a message that fails with `code`, at the time of its first status."""
    return tuple(StatusStep(status="failed", after=first.after, code=code) for first in steps[:1])
