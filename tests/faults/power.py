"""A power failure at the worst moment: right after a commit, on stock Faust and on ours alike, by Faust's sensors."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import faust
from faust.sensors import Monitor
from faust.types import TP

GIVEN_UP = 0.3
"""Seconds after which a flush that gives up after 0.1 s of silence has given up."""


class PowerFailure(Monitor):
    """Kills its own process as soon as a record of `topic` is committed; where a group starts is committed, too.

    Tells, by the file `flushing`, that a commit is waiting for the broker for longer than stock Faust's flush waits;
    from when on the file `wanted` is there.
    """

    topic: str
    wanted: Path
    flushing: Path

    def on_commit_initiated(self, consumer: Any) -> Any:
        if self.wanted.exists():
            asyncio.get_running_loop().call_later(GIVEN_UP, self.flushing.touch)
        return super().on_commit_initiated(consumer)

    def on_tp_commit(self, tp_offsets: MutableMapping[TP, int]) -> None:
        super().on_tp_commit(tp_offsets)
        if any(tp.topic == self.topic and offset > 0 for tp, offset in tp_offsets.items()):
            os.kill(os.getpid(), signal.SIGKILL)


def fail_after_a_commit_of(app: faust.App, topic: str, name: str) -> None:
    """Where `POWER` names a directory: with `flush-1-began-NAME` and `flushing-NAME` in it."""
    directory = os.environ.get("POWER")
    if directory:
        monitor = PowerFailure()
        monitor.topic = topic
        monitor.wanted = Path(directory, f"flush-1-began-{name}")
        monitor.flushing = Path(directory, f"flushing-{name}")
        app.monitor = monitor
