"""Every error of the pipeline, in one tree.

PipelineError
├── UsageError              a person asked for something that can't be: one line says what to do
│   ├── ConfigurationError  a setting, a secret or the tenants file is wrong
│   └── NoActiveEvent       a handler's messenger or cache was used outside a hook
├── PermanentError          this record can never succeed: a dead letter at once, without retries
│   ├── InvalidRecord       its bytes are not what its topic promises
│   ├── UnknownTenant       nobody owns the account it speaks of
│   ├── ForeignAccount      it came as one tenant's and speaks of another tenant's account
│   ├── UnsupportedCommand  the provider has no way of doing what a command asks for
│   ├── OversizeRecord      the broker would never take what became of it
│   ├── LogGap              its log had removed it, and those beside it, before they were processed
│   ├── GivenUp             it was given up before and is delivered again, not re-driven
│   └── WorkerDied          its process died, again and again, while nothing but this record ran
├── Unsendable              a handler asked for a send or an upload that can't be: its result says so, nothing raises
├── Unavailable             something outside is away: retried in place without limit, never a dead letter
│   ├── RetryAfter          it said how long to wait
│   │   ├── NewerRecord     a newer version wrote it: waits for a worker that can read it, then a dead letter
│   │   └── CallWithheld    a request was not written: its partition may be another worker's by now
│   └── Conflict            others wrote a row that an event read and wrote: it is handled again, from the new row
├── HandlerTimeout          a handler took longer than it may: retried like any other exception
├── LogTruncated            a log ends before records that are in hand: the process ends, and begins anew where it is
└── Unacknowledged          the broker did not take an output: the process ends, nothing is acknowledged

An exception that is none of these is retried in place a few times, then becomes a dead letter.
"""

from __future__ import annotations

from typing import Final


class PipelineError(Exception):
    """Base of all errors of the pipeline."""


class UsageError(PipelineError):
    """A person's mistake; the message is one line that says what is wrong and what to do."""


class ConfigurationError(UsageError):
    """A setting, a secret or the tenants file is wrong."""


class NoActiveEvent(UsageError):
    """Messenger and caches belong to the current event: use them inside a hook, and await what you start there.

    Attributes:
        error_type: the value of `error-type` in dead letters, which has not changed with the name of the class.
    """

    error_type: Final = "OutsideEvent"


class PermanentError(PipelineError):
    """Retrying this record can't help."""


class InvalidRecord(PermanentError):
    """The record's bytes are not what its topic promises."""


class UnknownTenant(PermanentError):
    """No tenant owns the account that the record speaks of. Re-driven once the tenant is there."""


class ForeignAccount(PermanentError):
    """A webhook came by one tenant's way in, with its secret, and speaks of an account that another tenant owns."""


class UnsupportedCommand(PermanentError):
    """The provider has no endpoint for this kind of command."""


class OversizeRecord(PermanentError):
    """An output is larger than the broker takes."""


class WorkerDied(PermanentError):
    """The process died `deaths` times while this record ran alone in it."""

    def __init__(self, deaths: int) -> None:
        super().__init__(f"the worker died {deaths} times while nothing but this record ran")
        self.deaths = deaths


class GivenUp(PermanentError):
    """The event was given up before, and comes again though nobody re-drove it.

    Attributes:
        error_type: the kind of the error for which it was given up: what its dead letter says again.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Unavailable(PipelineError):
    """Redis, a provider or another service is away. The record waits, in order for its key."""


class RetryAfter(Unavailable):
    """Try again after `delay` seconds."""

    def __init__(self, message: str, delay: float) -> None:
        super().__init__(message)
        self.delay = delay


class NewerRecord(RetryAfter):
    """A newer version of the pipeline wrote this, and this version can't act on it: a worker that can is on its way.

    Tried again for `PIPELINE_UPGRADE_WAIT` seconds, then a dead letter.
    """

    def __init__(self, message: str, delay: float = 5.0) -> None:
        super().__init__(f"{message}: upgrade this worker", delay)


class CallWithheld(RetryAfter):
    """A request was not written: this process may have lost its partition, or asked too long ago. Decide again."""

    def __init__(self) -> None:
        super().__init__(
            "this process was held up: it makes no call before it knows that the partition is still its", 0
        )


class Conflict(Unavailable):
    """Another event wrote what this one read and wants to write. Nothing was applied, and the event is not at fault."""


class LogGap(PermanentError):
    """Records were removed from their log, by retention mostly, before they were processed."""


class Unsendable(PipelineError):
    """What a handler asked for can't be sent as it is. Never leaves the messenger: it becomes the send's result.

    Attributes:
        code: what is wrong, for programs, e.g. `BUTTON_TITLE_TOO_LONG`.
    """

    def __init__(self, message: str, code: str = "VALIDATION") -> None:
        super().__init__(message)
        self.code = code


class HandlerTimeout(PipelineError, TimeoutError):
    """A handler did not finish its event in time. Nothing of what it did takes effect."""


class LogTruncated(PipelineError):
    """A log ends before the position in it: it was made anew, or a replica that lacked records became the leader."""


class Unacknowledged(PipelineError):
    """The broker did not acknowledge an output; the process must end without acknowledging its input."""


def error_type(error: Exception) -> str:
    """Return the value of `error-type` in dead letters; for `GivenUp`, that of the first time."""
    return error.error_type if isinstance(error, GivenUp | NoActiveEvent) else type(error).__name__
