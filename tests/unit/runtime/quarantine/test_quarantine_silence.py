"""A process that waits until nothing runs in it, so that a record can run alone."""

from __future__ import annotations

import asyncio
from typing import Any

from faust.types import TP

from pipeline.runtime.flows.stage import ConcurrentContext
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.suspects import Suspicion, decode, encode
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import until
from tests.support.waiting import HANG
from tests.unit.runtime.quarantine.test_quarantine import Broker, _begun


def test_a_death_counts_while_a_process_waits_for_silence() -> None:
    """A killer that still runs then would be found in no life, if a record asks to run alone in each."""
    slow, suspect, tp = Broker([1]), Broker([1]), TP("in", 0)
    suspect.notes[tp] = (0, encode(Suspicion(ends=(1,))))
    runs, ends = asyncio.Event(), asyncio.Event()

    async def last(record: Any, _: ConcurrentContext) -> list[Record]:
        runs.set()
        await ends.wait()
        return [Record("out", record.key, record.value)]

    async def quick(record: Any, _: ConcurrentContext) -> list[Record]:
        return [Record("out", record.key, record.value)]

    async def play() -> None:
        shared = ProcessExclusivity()
        async with asyncio.timeout(HANG):
            _, tasks = _begun(slow, last, exclusive=shared)
            await runs.wait()
            alone, more = _begun(suspect, quick, exclusive=shared)
            await until(lambda: shared.holder is alone._assignment.quarantine)
            await asyncio.sleep(0.1)  # commits of both go on meanwhile
            assert decode(slow.notes[tp][1]).lives == 1
            ends.set()
            await until(lambda: suspect.finished and slow.finished)
        for task in (*tasks, *more):
            task.cancel()
        await asyncio.wait([*tasks, *more])

    asyncio.run(play())
