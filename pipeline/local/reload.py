"""`pipeline up --reload`: replace the workers that run your code when it changes.

A process on standby imports the new code while the old one goes on. Once that has worked, the old one finishes what it
has in hand, commits and ends; then the new one joins Kafka. So no record is lost or done twice, and code with an error
replaces nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Final, Protocol

import pipeline
from pipeline.local.child import Child, ChildState
from pipeline.local.sources import Sources
from pipeline.local.standby import Standby

LOOK_INTERVAL: Final = 0.2
"""Seconds between two looks at the sources."""
LOOK_SHARE: Final = 0.05
"""Share of the time that looking may take, where there are many files."""
_OWN_CODE: Final = Path(pipeline.__path__[0]).resolve().parent
"""The folder that the pipeline is imported from. A process on standby has imported what is in it."""


class ReloadReporter(Protocol):
    """Receives the events of reloads."""

    def reloading(self, name: str, changed: Sequence[Path]) -> None: ...
    def not_reloaded(self, name: str, why: str, *, goes_on: bool) -> None: ...


class _Stage(Enum):
    IDLE = auto()
    LOADING = auto()
    """The new process imports the code."""
    LOADED = auto()
    """The old process ends."""


class Replacement:
    """The replacement of one child's process."""

    def __init__(self, child: Child, reporter: ReloadReporter) -> None:
        self.child = child
        self._reporter = reporter
        self._standby: Standby | None = None
        self._stage = _Stage.IDLE
        self._began = 0.0
        self._next: Sequence[Path] = ()
        self._broken = False

    @property
    def allows_start(self) -> bool:
        """False while new code is on its way, and after code that can't be loaded: the next change may correct it."""
        return self._stage is _Stage.IDLE and not self._broken

    def begin(self, changed: Sequence[Path]) -> None:
        """Replace the process by one with the code as it is now."""
        if self._stage is _Stage.LOADED:  # what is on standby has the code of before
            self._next = changed
            return
        if self._stage is _Stage.LOADING or not self._is_fresh(changed):
            self._discard()
        self._reporter.reloading(self.child.name, changed)
        self._began = time.monotonic()
        self._prepared().load()
        self._stage = _Stage.LOADING

    def tick(self) -> None:
        """Take the next step if it is due."""
        if self._stage is _Stage.LOADING:
            self._await_code()
        elif self._stage is _Stage.LOADED:
            self._hand_over()
        elif self.child.state is ChildState.READY:
            self._prepared()

    def close(self) -> None:
        self._discard()

    def _is_fresh(self, changed: Sequence[Path]) -> bool:
        """Return True if the process on standby has imported nothing that has changed, and lives."""
        alive = self._standby is None or self._standby.running
        return alive and not any(path.resolve().is_relative_to(_OWN_CODE) for path in changed)

    def _prepared(self) -> Standby:
        """Return the process on standby; start it before it is needed, as the imports of the pipeline take longest."""
        self._standby = self._standby or Standby(self.child.service, self.child.log.path)
        return self._standby

    def _await_code(self) -> None:
        failure = self._prepared().failure()
        if failure is None:
            return
        self._broken = bool(failure)
        if failure:
            self._reporter.not_reloaded(self.child.name, failure, goes_on=self.child.running)
            self._discard()
        else:
            self._stage = _Stage.LOADED
            self.child.retire()

    def _hand_over(self) -> None:
        if self.child.running or self._standby is None:
            return
        self.child.adopt(self._standby.process, time.monotonic() - self._began)
        self._standby.run()
        self._standby, self._stage = None, _Stage.IDLE
        if self._next:
            changed, self._next = self._next, ()
            self.begin(changed)

    def _discard(self) -> None:
        if self._standby is not None:
            self._standby.close()
        self._standby, self._stage = None, _Stage.IDLE


class Reloader:
    """Looks at the sources, and replaces the processes of `children` when they change."""

    def __init__(self, sources: Sources, children: Iterable[Child], reporter: ReloadReporter) -> None:
        self._sources = sources
        self._replacements = {child.name: Replacement(child, reporter) for child in children}
        self._next_look = 0.0

    def allows_start(self, child: Child) -> bool:
        """Return True if the supervisor may start a child."""
        found = self._replacements.get(child.name)
        return found is None or found.allows_start

    def tick(self) -> None:
        changed = self._look()
        for each in self._replacements.values():
            if changed:
                each.begin(changed)
            each.tick()

    def close(self) -> None:
        for each in self._replacements.values():
            each.close()

    def _look(self) -> list[Path]:
        began = time.monotonic()
        if began < self._next_look:
            return []
        changed = self._sources.changed()
        now = time.monotonic()
        self._next_look = now + max(LOOK_INTERVAL, (now - began) / LOOK_SHARE)
        return changed
