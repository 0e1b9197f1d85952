"""Obeys controls while the messenger runs: as they come, and when they end by themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from pipeline.logging import get_logger
from pipeline.messenger.controls import ControlChange, Controls
from pipeline.metrics import CONTROLS
from pipeline.topics.controls import ControlKey, ControlKind
from pipeline.topics.records import ConsumedRecord

log = get_logger(__name__)

CHECK_INTERVAL: Final = 0.5
"""Seconds between two looks for controls that have ended. A clock that is set, or a machine that slept, makes one end
at another time than a timer would have said."""


class ControlUpdates:
    """Applies the records of the topic, and lets what waits for a control go on once it has changed.

    Args:
        on_change: called with each account whose controls have changed.
        now: returns unix seconds, which are compared with the times in controls.
    """

    def __init__(
        self, controls: Controls, on_change: Callable[[ControlChange], object], now: Callable[[], float] = time.time
    ) -> None:
        self._controls = controls
        self._on_change = on_change
        self._now = now
        self._started = False
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to watch for ends. The records that the topic had at the start are applied by then."""
        self._started = True
        for kind in ControlKind:
            CONTROLS.labels(kind.value).set_function(partial(self._count, kind))
        pauses, limits = self._count(ControlKind.PAUSE), self._count(ControlKind.LIMIT)
        log.info("controls_loaded", pauses=pauses, limits=limits, detail="they are in force before the first call")
        for key in self._controls.unreadable:
            self._log(key)
        self._watch()

    def _count(self, kind: ControlKind) -> int:
        return self._controls.count(kind, self._now())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def apply(self, record: ConsumedRecord) -> None:
        """Apply a record of the topic."""
        try:
            changes = self._controls.apply(record, self._now())
        except ValueError:
            log.warning("control_ignored", detail="its key is not that of a control", offset=record.offset)
            return
        if self._started:
            self._log(ControlKey.decode(record.key))
            self._tell(changes)
            self._watch()

    def _log(self, key: ControlKey) -> None:
        control = self._controls.latest(key)
        if key in self._controls.unreadable:
            log.error("control_unreadable", detail="its target is paused: upgrade this worker", control="/".join(key))
        elif control is not None and control.is_active(self._now()):
            log.info("control_in_force", control="/".join(key), by=control.by, until=str(control.until or "resumed"))
        else:
            log.info("control_ended", control="/".join(key), by=control.by if control else "")

    def _tell(self, changes: Iterable[ControlChange]) -> None:
        for change in changes:
            self._on_change(change)

    def _watch(self) -> None:
        if self._timer is None and self._controls.has_ends:
            self._timer = asyncio.get_running_loop().call_later(CHECK_INTERVAL, self._look)

    def _look(self) -> None:
        self._timer = None
        self._tell(self._controls.end_due(self._now()))
        self._watch()
