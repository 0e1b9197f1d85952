"""The state of a command, by which it is sent exactly once. This is the messenger's state machine.

    (none) ──intent──▶ INTENT ──answer──▶ CLOSED
                         │  └──not done──▶ RETRY ──intent──▶ INTENT
                         │                   │
                         └──status webhook───┴──▶ RECEIPT ──▶ CLOSED

The transitions:

- intent: the worker persists its intent before it calls the provider.
- answer: the provider accepted or rejected the command for good, and the outcome is published.
- not done: the provider answered, or the connection failed, in a way that proves that nothing was sent.
- status webhook: a status names the command. So it was sent, whatever the answer was.

A worker that finds an intent without an outcome can't know whether the call was made: the command is in doubt. The
worker waits for a status webhook that names the command. If none arrives within the window, `InDoubtPolicy` decides
between sending it again and giving it up with the outcome `unknown`.

A command has a deadline (`pipeline.messenger.lifetimes`). From then on it is not called, whatever its state. It ends as
`expired` if it was not carried out: without a row, or in RETRY. A command that is or was in doubt may have been
carried out, so it ends as `unknown`. In INTENT it still waits out its window for a status, and `GRACE` at most: the
window is measured against processed webhooks, which a broken intake would hold up for ever.

Rows outlive the version that wrote them. Additional fields are kept and ignored. A row that begins with a number above
`VERSION`, or has an unknown phase, must be handled by a newer version: reading it raises `NewerRecord`.
"""

from __future__ import annotations

import math
from enum import Enum, StrEnum
from typing import Any, Final, NamedTuple

import orjson

from pipeline.errors import NewerRecord
from pipeline.topics.lifetimes import GRACE

VERSION: Final = 1
"""Version of the row format. It is not written: rows without a number are of version 1."""


class CommandPhase(StrEnum):
    INTENT = "intent"
    """The provider may have been called."""
    RETRY = "retry"
    """The command was not carried out, unless a status webhook says that it was."""
    RECEIPT = "receipt"
    """A status webhook named the command: it was carried out."""
    CLOSED = "closed"
    """The command has an outcome."""


_PHASES: Final = frozenset(phase.value for phase in CommandPhase)

UNRESOLVED: Final = frozenset({CommandPhase.INTENT, CommandPhase.RETRY})
"""The phases that a status webhook ends: the command was carried out, whatever the answer was."""


class CommandState(NamedTuple):
    """A command's row in the messenger's table.

    Attributes:
        updated_at: unix seconds.
        failed_attempts: calls that are known not to have carried out the command.
        message_id: the provider's id of the message, once it is known.
        resends: calls that were repeated while the command was in doubt.
        more: fields of a newer version, which are written back unchanged.
    """

    phase: CommandPhase
    updated_at: float
    failed_attempts: int = 0
    message_id: str = ""
    resends: int = 0
    more: tuple[Any, ...] = ()

    def encode(self) -> bytes:
        known = self[:5] if self.resends or self.more else self[:4]
        return orjson.dumps((*known, *self.more))


def decode_state(row: bytes | None) -> CommandState | None:
    """Return the state in a row; None without a row. Raises `NewerRecord` for a row of a newer version."""
    if row is None:
        return None
    phase, updated_at, failed_attempts, message_id, *rest = _fields(orjson.loads(row))
    resends = rest.pop(0) if rest else 0
    return CommandState(CommandPhase(phase), updated_at, failed_attempts, message_id, resends, tuple(rest))


_INTENT: Final = b'["intent",'


def is_intent(row: bytes | None) -> bool:
    """Return True if a row is in the phase INTENT. It is asked before every request, so the usual row is not decoded.

    Raises `NewerRecord` for a row of a newer version.
    """
    if row is not None and row.startswith(_INTENT):
        return True
    state = decode_state(row)
    return state is not None and state.phase is CommandPhase.INTENT


def _fields(row: Any) -> list[Any]:
    match row:
        case [str(phase), _, _, _, *_] if phase in _PHASES:
            return list(row)
        case [int(version), *_]:
            raise NewerRecord(f"a command's row is of version {version}, and this worker knows {VERSION}")
    raise NewerRecord("a command's row has a state or a form that this worker does not know")


def due_key(name: str) -> str:
    """Return the key of the row with the time before which nothing may be sent. `name`: a command id or account key."""
    return f"due:{name}"


def encode_due(at: float) -> bytes:
    """Encode a due time, in unix seconds."""
    return orjson.dumps(at)


def decode_due(row: bytes | None) -> float:
    """Return the due time, in unix seconds; 0 without a row or for a newer version's format."""
    due = 0.0 if row is None else orjson.loads(row)
    return float(due) if isinstance(due, int | float) else 0.0


class NextAction(Enum):
    """The next step for a command that arrives, for the first time or again."""

    CALL = "call"
    """Call the provider."""
    DONE = "done"
    """Do nothing: the command has an outcome."""
    RECEIVED = "received"
    """Publish the outcome `accepted`: a status webhook named the command."""
    WAIT = "wait"
    """Wait for a status webhook: the command is in doubt."""
    GIVE_UP = "give_up"
    """Publish the outcome `unknown`: the command is in doubt, and no status webhook came."""


class InDoubtPolicy(NamedTuple):
    """The treatment of commands in doubt: commands with an intent and without an outcome.

    Attributes:
        window: seconds in which a status must arrive. It doubles after each repeated call.
        max_resends: maximum number of repeated calls.
        listening_since: unix seconds. Statuses before this time were not received.
        watermark: unix seconds. All statuses that arrived before this time have been processed.
        repeatable: the command may be carried out twice without harm (read marks), so it is never in doubt.
        late: seconds since the command's deadline; negative before it.
    """

    window: float
    max_resends: int
    listening_since: float
    watermark: float
    repeatable: bool = False
    late: float = -math.inf


def next_action(state: CommandState | None, policy: InDoubtPolicy) -> NextAction:
    """Return the next action for a command in this state."""
    if state is None or state.phase is CommandPhase.RETRY:
        return NextAction.CALL
    if state.phase is CommandPhase.CLOSED:
        return NextAction.DONE
    if state.phase is CommandPhase.RECEIPT:
        return NextAction.RECEIVED
    if policy.repeatable:
        return NextAction.CALL
    heard = policy.watermark - max(state.updated_at, policy.listening_since)
    if heard < policy.window * 2**state.resends and policy.late < GRACE:
        return NextAction.WAIT
    return NextAction.CALL if state.resends < policy.max_resends and policy.late < 0 else NextAction.GIVE_UP


def may_be_done(state: CommandState | None) -> bool:
    """Return True if an earlier call may have carried out the command: it is in doubt, or it was."""
    return state is not None and (state.phase is CommandPhase.INTENT or state.resends > 0)
