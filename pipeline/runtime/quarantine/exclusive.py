"""The right of one record to run alone in its process, whatever apps and partitions the process has."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Protocol

POLL_SECONDS: Final = 0.02
"""Seconds between two looks at whether everything is idle. It is polled only while a record is about to run alone."""
REST_SECONDS: Final = 60.0
"""Seconds until everything must be idle. Otherwise the record is tried later."""


class ExclusiveMember(Protocol):
    """One app of the process."""

    @property
    def quiet(self) -> bool:
        """True if no record of it runs."""

    @property
    def idle(self) -> bool:
        """True if the broker knows that, too."""

    def pause(self) -> None:
        """Let no record run."""

    def uncount(self) -> None:
        """Count no death against its records, now that none of them runs."""

    def resume(self) -> None:
        """Let records run again."""


class ProcessExclusivity:
    """HoldTarget by the app of which one record runs alone. All apps of a process share one.

    Attributes:
        possible: True if all apps of the process can be paused. Plain agents can't.
        holder: the app that holds it.
    """

    def __init__(self) -> None:
        self.possible = True
        self.holder: ExclusiveMember | None = None
        self._members: list[ExclusiveMember] = []

    def join(self, member: ExclusiveMember) -> None:
        """Add an app of the process."""
        self._members.append(member)

    def acquire(self, holder: ExclusiveMember) -> bool:
        """Pause all apps for `holder`. False: another app holds it, or it is not possible."""
        if not self.possible or self.holder not in (None, holder):
            return False
        self.holder = holder
        for member in self._members:
            member.pause()
        return True

    def release(self, holder: ExclusiveMember) -> None:
        """Resume all apps, if `holder` holds it."""
        if self.holder is holder:
            self.holder = None
            for member in self._members:
                member.resume()

    async def wait_until_idle(self, holder: ExclusiveMember) -> bool:
        """Wait until all apps are idle, but for the notes of `holder` itself, which it commits when it goes on.

        Returns False if it takes too long, or if `holder` has released it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                while self.holder is holder:
                    if self._is_idle(holder):
                        return True
                    await asyncio.sleep(POLL_SECONDS)
        return False

    def _is_idle(self, holder: ExclusiveMember) -> bool:
        # Until all have stopped a death still counts: otherwise a killer among those that run would never be found.
        if not all(member.quiet for member in self._members):
            return False
        for member in self._members:
            member.uncount()
        return all(member.idle for member in self._members if member is not holder)
