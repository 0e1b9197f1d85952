"""All errors of the pipeline, in one tree.

PipelineError
├── UsageError              wrong usage or set-up: one line says what to do
│   ├── ConfigurationError  a setting, a secret or the tenants file is wrong
│   └── NoActiveEvent       a handler's messenger or cache was used outside a hook
├── PermanentError          this record can never succeed: a dead letter at once, without retries
│   ├── InvalidRecord       its bytes don't have the format of its topic
│   ├── UnknownTenant       no tenant owns its account
│   ├── ForeignAccount      it was authenticated for one tenant and names another's account
│   ├── UnsupportedCommand  the provider can't do this kind of command
│   ├── OversizeRecord      its output is larger than the broker accepts
│   ├── LogGap              the log removed it and its neighbours before they were processed
│   ├── GivenUp             it was given up before and is delivered again without a redrive
│   └── WorkerDied          its process died repeatedly while only this record ran
├── Unsendable              a send or an upload is not valid: its result says so, nothing is raised
├── Unavailable             an outside service is unavailable: retried in place without limit, never a dead letter
│   ├── BackendUnavailable  it is the pipeline's own Redis, Kafka or disk: retried after shorter pauses
│   ├── RetryAfter          the service said how long to wait
│   │   ├── KeyUnavailable  nothing of the record's conversation or account can be worked on for that long
│   │   ├── NewerRecord     a newer version wrote the record: it waits for a newer worker, then a dead letter
│   │   └── CallWithheld    a request was not sent: the partition may be another worker's by now, or its file is away
│   ├── Unanswered          a provider gave no answer: no connection, or nothing in time
│   └── Conflict            another event wrote a row that this one read and wrote: it is handled again
├── HandlerTimeout          a handler took too long: retried like an I/O error
└── WorkerMustStop          the process must end without committing what it has not finished: only a new one goes on
    ├── PublishFailed       the broker did not acknowledge an output, or can't accept it
    ├── TopicMissing        the broker's metadata shows no such topic
    ├── PartitionsChanged   a topic has another partition count than was recorded
    ├── WriterFenced        another worker writes to the same changelog
    ├── InstanceFenced      a newer worker has the same instance id
    ├── LogTruncated        a log ends before the position in it
    └── ClientDied          a background task of a Kafka client has ended

An exception that is none of these is retried in place, then becomes a dead letter: an I/O error (`pipeline.io_errors`)
after minutes, any other after a second (`pipeline.backoff.RetryPauses`).
"""

from __future__ import annotations

from typing import Final


class PipelineError(Exception):
    """Base of all errors of the pipeline."""


class UsageError(PipelineError):
    """Wrong usage or set-up. The message is one line: the problem and its solution."""


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
    """The record's bytes don't have the format of its topic."""


class UnknownTenant(PermanentError):
    """No tenant owns the account of the record. Redrive it once the tenant exists."""


class ForeignAccount(PermanentError):
    """A webhook was authenticated for one tenant and names an account that another tenant owns."""


class UnsupportedCommand(PermanentError):
    """The provider has no endpoint for this kind of command."""


class OversizeRecord(PermanentError):
    """An output is larger than the broker accepts."""


class WorkerDied(PermanentError):
    """The process died `deaths` times while this record ran alone in it."""

    def __init__(self, deaths: int) -> None:
        super().__init__(f"the worker died {deaths} times while nothing but this record ran")
        self.deaths = deaths


class GivenUp(PermanentError):
    """The event was given up before, and is delivered again without a redrive.

    Attributes:
        error_type: type of the error for which it was given up, for its new dead letter.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Unavailable(PipelineError):
    """Redis, a provider or another service is unavailable. The record waits, in the order of its key.

    Raise it in a hook for a service that comes back by itself: the event is tried again until it succeeds, after the
    pauses of the handler's `retries`. It never becomes a dead letter.
    """


class BackendUnavailable(Unavailable):
    """The pipeline's own Redis, Kafka or disk is unavailable. Its pauses are short, because every record waits for it.

    Attributes:
        error_type: the value of `error-type` and of metrics, where it is `Unavailable` like those of other services.
    """

    error_type: Final = "Unavailable"


class RetryAfter(Unavailable):
    """Try again after `delay` seconds. Raise it in a hook where the service says how long to wait."""

    def __init__(self, message: str, delay: float) -> None:
        super().__init__(message)
        self.delay = delay


class KeyUnavailable(RetryAfter):
    """No record of the same key can be worked on for `delay` seconds: its recipient or its account is at a limit.

    The runtime tries none of them before that time. The key is its fairness key
    (`ConcurrentStage.fairness`).

    Attributes:
        whole_group: True: it is about all keys of the group, because the account is paused or its host is away.
        probing: True: then one record is tried, and the others follow when it has succeeded. False: then each follows
            as soon as the one before it waits or is finished. Use it for a limit.
        held_by: name of what holds the key, one of a few that may stand in a metric.
        lasts: seconds until that is expected to end, at least `delay`; infinity if only a person ends it.
    """

    def __init__(
        self,
        message: str,
        delay: float,
        *,
        whole_group: bool = False,
        probing: bool = True,
        held_by: str = "other",
        lasts: float = 0.0,
    ) -> None:
        super().__init__(message, delay)
        self.whole_group = whole_group
        self.probing = probing
        self.held_by = held_by
        self.lasts = max(delay, lasts)


class NewerRecord(RetryAfter):
    """A newer version of the pipeline wrote the record, and this version can't process it.

    It is retried for `PIPELINE_UPGRADE_WAIT` seconds, then a dead letter.
    """

    def __init__(self, message: str, delay: float = 5.0) -> None:
        super().__init__(f"{message}: upgrade this worker", delay)


class CallWithheld(RetryAfter):
    """A request was not sent: this process may have lost its partition, waited too long, or lacks the file to send.

    Decide again after `delay` seconds.
    """

    def __init__(
        self,
        message: str = "this process was held up: it makes no call before it knows that the partition is still its",
        delay: float = 0,
    ) -> None:
        super().__init__(message, delay)


class Unanswered(Unavailable):
    """A provider gave no answer: there was no connection, or nothing came in time."""


class Conflict(Unavailable):
    """Another event wrote a row that this one read and wants to write. Nothing was applied; it is handled again."""


class LogGap(PermanentError):
    """Records were removed from their log, by retention mostly, before they were processed."""


class Unsendable(PipelineError):
    """A send is not valid. The messenger returns this error as the send's result.

    Attributes:
        code: identifier of the problem, e.g. `BUTTON_TITLE_TOO_LONG`.
    """

    def __init__(self, message: str, code: str = "VALIDATION") -> None:
        super().__init__(message)
        self.code = code


class HandlerTimeout(PipelineError, TimeoutError):
    """A handler did not finish its event in time. None of its effects is applied."""


class WorkerMustStop(PipelineError):
    """The process must end without acknowledging its unfinished input. Only a new process can continue.

    The cause lies outside: the records in progress are not to blame.
    """


class PublishFailed(WorkerMustStop):
    """The broker did not acknowledge an output, or can't accept it."""


class TopicMissing(WorkerMustStop):
    """The broker's metadata shows no such topic."""


class PartitionsChanged(WorkerMustStop):
    """A topic has another partition count than the installation recorded."""


class WriterFenced(WorkerMustStop):
    """Another worker writes to the same changelog, so local rows may be out of date."""


class InstanceFenced(WorkerMustStop):
    """A newer worker has the same instance id, and with it this one's partitions."""


class LogTruncated(WorkerMustStop):
    """A log ends before the position in it: it was recreated, or a replica that lacked records became the leader."""


class ClientDied(WorkerMustStop):
    """A background task of a Kafka client has ended. The client can't recover."""


def class_of(error_type: str) -> type[Exception] | None:
    """Return our class for a value of `error-type`; None for the error of somebody else."""
    found: object = NoActiveEvent if error_type == NoActiveEvent.error_type else globals().get(error_type)
    return found if isinstance(found, type) and issubclass(found, PipelineError) else None


def error_type(error: Exception) -> str:
    """Return the value of `error-type` in dead letters; for `GivenUp`, that of the first time."""
    if isinstance(error, GivenUp | NoActiveEvent | BackendUnavailable):
        return error.error_type
    return type(error).__name__
