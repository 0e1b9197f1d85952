"""How a command stands, so that it is sent once whatever dies: the messenger's state machine.

    (none) ──intent──▶ INTENT ──answer──▶ CLOSED
                         │  └──not done──▶ RETRY ──intent──▶ INTENT
                         │                   │
                         └──status webhook───┴──▶ RECEIPT ──▶ CLOSED

An intent is durable before the call and the outcome after it. Who finds an intent without an outcome does not know
whether the call was made: it waits for a status webhook that names the command, and decides by policy when none comes.

Rows outlive the version that wrote them. A field more is kept and means nothing here; a row that begins with a number
above `VERSION`, or names a state that is not here, is for a newer version to act on.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any, Final, NamedTuple

import orjson

from pipeline.errors import NewerRecord

VERSION: Final = 1
"""Of the form of rows. It is not written: rows without a number are of version 1."""


class State(StrEnum):
    INTENT = "intent"
    """It may have been called."""
    RETRY = "retry"
    """It is known not to have been done, unless a status says that it was."""
    RECEIPT = "receipt"
    """A status webhook named it: it was done."""
    CLOSED = "closed"
    """It has an outcome."""


_STATES: Final = frozenset(state.value for state in State)

UNSETTLED: Final = frozenset({State.INTENT, State.RETRY})
"""The states that a status webhook settles: it was done, whatever its answer said."""


class Standing(NamedTuple):
    """A command's row in the messenger's table.

    Attributes:
        at: unix seconds.
        tries: calls that are known not to have been done.
        detail: the provider's id of the message, once it is known.
        resends: calls that were made while it was in doubt.
        more: fields that a newer version wrote, to be written back.
    """

    state: State
    at: float
    tries: int = 0
    detail: str = ""
    resends: int = 0
    more: tuple[Any, ...] = ()

    def encode(self) -> bytes:
        known = self[:5] if self.resends or self.more else self[:4]
        return orjson.dumps((*known, *self.more))


def decode(row: bytes | None) -> Standing | None:
    """How the command of a row stands; None without a row. Raises `NewerRecord` for a newer version's."""
    if row is None:
        return None
    state, at, tries, detail, *rest = _fields(orjson.loads(row))
    resends = rest.pop(0) if rest else 0
    return Standing(State(state), at, tries, detail, resends, tuple(rest))


def _fields(row: Any) -> list[Any]:
    match row:
        case [str(state), _, _, _, *_] if state in _STATES:
            return list(row)
        case [int(version), *_]:
            raise NewerRecord(f"a command's row is of version {version}, and this worker knows {VERSION}")
    raise NewerRecord("a command's row has a state or a form that this worker does not know")


def due_key(name: str) -> str:
    """The key of the row that says before when nothing may be sent for a command, or for an account by its key."""
    return f"due:{name}"


def encode_due(at: float) -> bytes:
    """Unix seconds."""
    return orjson.dumps(at)


def decode_due(row: bytes | None) -> float:
    """Unix seconds; 0 for no such row, and for one that a newer version wrote in another form."""
    due = 0.0 if row is None else orjson.loads(row)
    return float(due) if isinstance(due, int | float) else 0.0


class Decision(Enum):
    """What to do with a command that has come (again)."""

    CALL = "call"
    DONE = "done"
    RECEIVED = "received"
    WAIT = "wait"
    GIVE_UP = "give_up"


class Doubt(NamedTuple):
    """What is done about an intent without an outcome.

    Attributes:
        window: seconds in which a status has to come; twice as long after each call that was made again.
        resends: how often to call again.
        since: unix seconds; before, nobody listened for statuses.
        heard: unix seconds; every status that came until then has been heard, whatever backlog there was.
        repeatable: doing it twice is as doing it once (read marks), so there is no doubt.
    """

    window: float
    resends: int
    since: float
    heard: float
    repeatable: bool = False


def decide(standing: Standing | None, doubt: Doubt) -> Decision:
    """What to do with a command that stands so."""
    if standing is None or standing.state is State.RETRY:
        return Decision.CALL
    if standing.state is State.CLOSED:
        return Decision.DONE
    if standing.state is State.RECEIPT:
        return Decision.RECEIVED
    if doubt.repeatable:
        return Decision.CALL
    if doubt.heard - max(standing.at, doubt.since) < doubt.window * 2**standing.resends:
        return Decision.WAIT
    return Decision.CALL if standing.resends < doubt.resends else Decision.GIVE_UP
