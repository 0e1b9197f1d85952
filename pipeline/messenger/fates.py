"""The final fate of a send: statuses that come after its first outcome, joined to their command.

    (first outcome) ──▶ delivered ──▶ read          `read` may come without `delivered`
          └───────────▶ failed                      it comes after neither, and nothing comes after it

A row of the messenger's table says what was published of a command, so a status that is repeated or late adds nothing.
A status that comes while its command is executed is held in its row, and published right behind the first outcome. One
that comes after a restart and before its command does is published at once, and the first outcome behind it.

Statuses of a provider without callback data name a message only. Its row is under the message's id, and the first
outcome, which knows both ids, writes the command into it.

This is pure logic: the caller publishes what is returned and stores what is written, both or none.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from pipeline.errors import KeyUnavailable, RetryAfter
from pipeline.messenger.command_state import CommandPhase, CommandState
from pipeline.tenants import Tenants
from pipeline.topics.commands import Command
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.receipts import NO_COMMAND, Receipt, join_id

_STATUSES: Final = {
    "sent": OutcomeStatus.ACCEPTED,
    "delivered": OutcomeStatus.DELIVERED,
    "read": OutcomeStatus.READ,
    "played": OutcomeStatus.READ,
    "failed": OutcomeStatus.FAILED,
}
MAX_BEGUN: Final = 100_000
"""Commands whose statuses are held while they are executed. Those of further ones are published at once."""
_FINAL: Final = frozenset({OutcomeStatus.DELIVERED, OutcomeStatus.READ, OutcomeStatus.FAILED})
_FOLLOWERS: Final[dict[str, frozenset[OutcomeStatus]]] = {
    "": _FINAL | {OutcomeStatus.ACCEPTED},
    OutcomeStatus.ACCEPTED: _FINAL,
    OutcomeStatus.DELIVERED: frozenset({OutcomeStatus.READ}),
    OutcomeStatus.READ: frozenset(),
    OutcomeStatus.FAILED: frozenset(),
}
"""Statuses that may follow each published one; the empty one stands for a first outcome of any kind."""


class FateTable(Protocol):
    """The messenger's table of commands."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class JoinedCommand(msgspec.Struct, array_like=True):
    """The command of a message that is known by the message's id."""

    command_id: str
    event_id: str | None
    recipient: str
    campaign: str | None
    tags: tuple[str, ...] | None


class Fate(msgspec.Struct, array_like=True):
    """What is known of a send beside its command's state.

    Attributes:
        told: the last status that was published; empty for none.
        held: receipts that wait for the first outcome, in the order of the statuses.
        origin: the command, where the row is under the message's id.
    """

    told: str = ""
    held: list[Receipt] = []
    origin: JoinedCommand | None = None

    def may_follow(self, status: OutcomeStatus) -> bool:
        """Return True if the status says more than what is published or held."""
        last = _STATUSES[self.held[-1].status] if self.held else self.told
        return status in _FOLLOWERS.get(last, frozenset())


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Fate).decode


def fate_key(name: str) -> str:
    """Return the key of the row. `name`: a command id, or an account key and a message id."""
    return f"fate:{name}"


def decode_fate(row: bytes | None) -> Fate | None:
    return None if row is None else _decode(row)


class _Execution:
    """The execution of one command, begun until it has its first outcome or waits for anything but a status."""

    __slots__ = ("_begun", "_command_id")

    def __init__(self, command_id: str, begun: set[str]) -> None:
        self._command_id = command_id
        self._begun = begun

    def __enter__(self) -> None:
        if len(self._begun) < MAX_BEGUN:
            self._begun.add(self._command_id)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None or not issubclass(kind, RetryAfter) or issubclass(kind, KeyUnavailable):
            self._begun.discard(self._command_id)


class Fates:
    """Joins the statuses of one process' accounts to their commands.

    Args:
        tenants: the owners of accounts; None: nobody is known.
        joined_by_message: providers whose statuses name a message only.
    """

    def __init__(self, tenants: Tenants | None = None, joined_by_message: Collection[str] = ()) -> None:
        self._tenants = tenants
        self._joined_by_message = frozenset(joined_by_message)
        self._begun: set[str] = set()
        self._held: set[str] = set()

    def forget(self) -> None:
        """Forget the commands of this process: the rows say the rest to whoever owns them."""
        self._begun.clear()
        self._held.clear()

    def execution(self, command: Command) -> _Execution:
        """Return a context in which the command is executed. Its statuses are held until it has its first outcome."""
        return _Execution(command.command_id, self._begun)

    def next(self, receipt: Receipt, state: CommandState | None, account: str, table: FateTable) -> list[Outcome]:
        """Return the outcomes that a receipt adds; none if it says nothing new, or if it is held.

        Args:
            state: the command's row before this receipt; None if there was none.
            account: the account key.
        """
        status = _STATUSES.get(receipt.status)
        if status is None or (status is OutcomeStatus.FAILED and receipt.of_member):
            return []
        by_message = receipt.command_id == NO_COMMAND
        if status is OutcomeStatus.ACCEPTED and (by_message or not _is_news(state)):
            return []
        key = fate_key(f"{account}:{join_id(receipt.message_id)}" if by_message else receipt.command_id)
        fate = decode_fate(table.get(key)) or Fate()
        if not fate.may_follow(status):
            return []
        if self._has_no_outcome(receipt, fate):
            table.put(key, _encode(Fate("", [*fate.held, receipt], fate.origin)))
            return []
        table.put(key, _encode(Fate(status.value, [], fate.origin)))
        if state is None and status is OutcomeStatus.ACCEPTED:  # its row has expired: it was accepted long ago
            return []
        return [self._outcome(each, account, fate.origin) for each in (*fate.held, receipt)]

    def first(self, outcome: Outcome, table: FateTable) -> list[Outcome]:
        """Return a command's first outcome, and those of the receipts that were held for it."""
        if outcome.provider in self._joined_by_message:
            if not outcome.message_id:
                return [outcome]
            key, origin = fate_key(f"{outcome.account_key}:{join_id(outcome.message_id)}"), _origin(outcome)
        elif outcome.by_status or outcome.command_id in self._held:
            key, origin = fate_key(outcome.command_id), None
        else:
            return [outcome]
        self._held.discard(outcome.command_id)
        fate = decode_fate(table.get(key)) or Fate()
        told = _STATUSES[fate.held[-1].status].value if fate.held else fate.told
        if origin or fate.held:
            table.put(key, _encode(Fate(told, [], origin)))
        return [outcome, *(_later(outcome, receipt) for receipt in fate.held)]

    def rest(self, command: Command, table: FateTable) -> list[Outcome]:
        """Return the outcomes of receipts that are still held for a command that has its first outcome.

        There are some if that was published by a worker that did not own the command any more.
        """
        key = fate_key(command.command_id)
        fate = decode_fate(table.get(key))
        if fate is None or not fate.held:
            return []
        last = _STATUSES[fate.held[-1].status]
        table.put(key, _encode(Fate(last.value, [], fate.origin)))
        origin = JoinedCommand(command.command_id, command.event_id, command.recipient, command.campaign, command.tags)
        return [self._outcome(each, command.account_key, origin) for each in fate.held]

    def _has_no_outcome(self, receipt: Receipt, fate: Fate) -> bool:
        """Return True if the first outcome is still to come, for sure, and will look for held receipts."""
        if receipt.command_id == NO_COMMAND:
            return fate.origin is None
        if receipt.command_id not in self._begun:
            return False
        self._held.add(receipt.command_id)
        return True

    def _outcome(self, receipt: Receipt, account: str, origin: JoinedCommand | None) -> Outcome:
        provider, _, account_id = account.partition(":")
        owner = self._tenants.owner(provider, account_id) if self._tenants else None
        about: dict[str, Any] = {"command_id": receipt.command_id, "recipient": receipt.recipient}
        if origin:
            about |= {name: getattr(origin, name) for name in origin.__struct_fields__}
        return Outcome(
            tenant_id=owner.id if owner else "",
            provider=provider,
            account=account_id,
            **(_of_status(receipt) | about),
        )


def _is_news(state: CommandState | None) -> bool:
    """Return True if `sent` says something: the command's outcome is not known, or was not `accepted`."""
    return state is None or (state.phase is CommandPhase.CLOSED and not state.message_id)


def _origin(outcome: Outcome) -> JoinedCommand:
    return JoinedCommand(outcome.command_id, outcome.event_id, outcome.recipient, outcome.campaign, outcome.tags)


def _later(outcome: Outcome, receipt: Receipt) -> Outcome:
    """Return the outcome that a held receipt adds to the first one."""
    said = _of_status(receipt)
    own = {"campaign": outcome.campaign, "tags": outcome.tags, "message_id": outcome.message_id}
    return outcome.model_copy(update=said | {name: value for name, value in own.items() if value} | {"retried": 0})


def _of_status(receipt: Receipt) -> dict[str, Any]:
    """Return the fields of an outcome that a status says. They are the same however often it comes."""
    return {
        "status": _STATUSES[receipt.status],
        "message_id": receipt.message_id or None,
        "error_code": receipt.error_code,
        "error_message": receipt.error_message,
        "by_status": True,
        "at": datetime.fromtimestamp(receipt.at or 0.0, UTC),
        "sent_at": receipt.sent_at,
        "campaign": receipt.campaign,
        "tags": receipt.tags,
    }
