"""One record alone in a whole process, whatever apps and partitions it has."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Protocol

POLL_SECONDS: Final = 0.02
"""Between two looks at whether everything rests; only while a record is about to run alone."""
REST_SECONDS: Final = 60.0
"""In which everything must have come to rest; else the record is tried later."""


class ExclusiveMember(Protocol):
    """One app of the process."""

    @property
    def at_rest(self) -> bool:
        """True if nothing of it runs."""

    def hold(self) -> None:
        """It must come to rest."""

    def let_go(self) -> None:
        """It may go on."""


class ProcessExclusivity:
    """Held by the app of which one record runs alone. All apps of a process share one.

    Attributes:
        possible: whether everything in the process can be made to rest; not so where it runs plain agents.
        holder: who has it.
    """

    def __init__(self) -> None:
        self.possible = True
        self.holder: ExclusiveMember | None = None
        self._members: list[ExclusiveMember] = []

    def join(self, member: ExclusiveMember) -> None:
        self._members.append(member)

    def acquire(self, holder: ExclusiveMember) -> bool:
        """Makes everything rest for `holder`. False: another has it, or nobody can."""
        if not self.possible or self.holder not in (None, holder):
            return False
        self.holder = holder
        for member in self._members:
            member.hold()
        return True

    def release(self, holder: ExclusiveMember) -> None:
        """Lets everything go on, if `holder` has it."""
        if self.holder is holder:
            self.holder = None
            for member in self._members:
                member.let_go()

    async def wait_until_idle(self, holder: ExclusiveMember) -> bool:
        """Waits for everything to come to rest. False: it takes too long, or `holder` has given it back."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                while self.holder is holder:
                    if all(member.at_rest for member in self._members):
                        return True
                    await asyncio.sleep(POLL_SECONDS)
        return False
