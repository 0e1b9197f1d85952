"""How a command stands, so that it is sent once whatever dies: the messenger's state machine.

    (none) ──intent──▶ INTENT ──answer──▶ CLOSED
                         │  └──not done──▶ RETRY ──intent──▶ INTENT
                         └──status webhook──▶ RECEIPT ──▶ CLOSED

An intent is durable before the call and the outcome after it. Who finds an intent without an outcome does not know
whether the call was made: it waits for a status webhook that names the command, and decides by policy when none comes.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple

import orjson


class State(StrEnum):
    INTENT = "intent"
    """It may have been called."""
    RETRY = "retry"
    """It was called and is known not to have been done."""
    RECEIPT = "receipt"
    """A status webhook named it: it was done."""
    CLOSED = "closed"
    """It has an outcome."""


class Standing(NamedTuple):
    """A command's row in the messenger's table.

    Attributes:
        at: unix seconds.
        tries: calls that are known not to have been done.
        detail: the provider's id of the message, once it is known.
        resends: calls that were made while it was in doubt.
    """

    state: State
    at: float
    tries: int = 0
    detail: str = ""
    resends: int = 0

    def encode(self) -> bytes:
        return orjson.dumps(self[:] if self.resends else self[:4])


def decode(row: bytes | None) -> Standing | None:
    if row is None:
        return None
    state, *rest = orjson.loads(row)
    return Standing(State(state), *rest)


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
