"""A limit of log lines of one kind, for lines that an outage could write thousands of."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

LINES: Final = 100
WINDOW: Final = 10.0
MAX_KINDS: Final = 1_000


@dataclass(slots=True)
class _Kind:
    since: float
    lines: int = 0
    suppressed: int = 0


class LineLimit:
    """Admits at most `lines` lines of a kind in `window` seconds.

    Args:
        lines: number of lines.
        window: seconds.
        clock: returns seconds of any monotonic clock.
    """

    def __init__(self, lines: int = LINES, window: float = WINDOW, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._window = window
        self._clock = clock
        self._kinds: dict[Hashable, _Kind] = {}

    def admit(self, kind: Hashable) -> int | None:
        """Return how many lines of a kind were suppressed since the last admitted one; None: this one is, too."""
        found = self._kind(kind)
        if found.lines >= self._lines:
            found.suppressed += 1
            return None
        found.lines += 1
        suppressed, found.suppressed = found.suppressed, 0
        return suppressed

    def _kind(self, kind: Hashable) -> _Kind:
        now, found = self._clock(), self._kinds.get(kind)
        if found is None:
            if len(self._kinds) >= MAX_KINDS:
                del self._kinds[next(iter(self._kinds))]
            found = self._kinds[kind] = _Kind(now)
        elif now - found.since >= self._window:
            found.since, found.lines = now, 0
        return found
