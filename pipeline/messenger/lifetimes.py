"""Deadlines of commands: the unix time from which a command is not sent any more.

The messenger computes them when it looks at a command. So they hold for the commands of every producer, whatever its
version, and a changed setting holds for the commands that wait already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pipeline.tenants import Tenants
from pipeline.topics.commands import Command, CommandKind, Priority
from pipeline.topics.dead_letters import redriven_at
from pipeline.topics.lifetimes import NO_OVERRIDES, lifetime
from pipeline.topics.records import ConsumedRecord


class Lifetimes:
    """The lifetimes of an installation.

    Args:
        tenants: the tenants, with their overrides; None: nobody has any.
        overrides: the overrides of the installation.
    """

    def __init__(self, tenants: Tenants | None = None, overrides: Mapping[str, float] | None = None) -> None:
        self._tenants = tenants
        self._overrides = overrides or NO_OVERRIDES
        self._known: dict[tuple[str | None, CommandKind, Priority], float] = {}

    def deadline(self, command: Command, record: ConsumedRecord, now: float) -> float:
        """Return the unix time at which a command expires: the end of its lifetime, or its own expiry if that is first.

        A lifetime begins when the command was created, and again when its dead letter was redriven. A time of creation
        after that of the record is wrong, and does not count.
        """
        lasts = self._lifetime(command)
        begin = min(unix_seconds(command.created_at), record.timestamp / 1000)
        if begin + lasts <= now:  # only then its headers are worth a look
            begin = max(begin, redriven_at(record) / 1000)
        if command.expires_at is None:
            return begin + lasts
        return min(begin + lasts, unix_seconds(command.expires_at))

    def _lifetime(self, command: Command) -> float:
        owner = self._tenants.owner(command.provider, command.account) if self._tenants else None
        own = owner.lifetimes if owner else NO_OVERRIDES
        key = (owner.id if owner and own else None, command.kind, command.priority)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = lifetime(command.kind, command.priority, own, self._overrides)
        return found


def unix_seconds(moment: datetime) -> float:
    """Return unix seconds. A time without a zone is UTC, wherever this worker stands."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
