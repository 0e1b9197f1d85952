"""Faust's consumer with correct offsets and cheap delivery for plain agents and table recovery.

The commit position is the first delivered and unacknowledged offset. Stock Faust looks for the first gap among the
acknowledged ones, and commits past an unfinished first record.

It overrides private names of faust-streaming 0.15.3, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

import types
from collections import defaultdict, deque
from collections.abc import Coroutine, Generator, Mapping
from functools import partial
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP


class PlainAgentConsumer(driver.Consumer):
    """Delivers record by record and commits what the agents have acknowledged without a gap."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._delivered: dict[TP, deque[int]] = defaultdict(deque)

    def _new_offset(self, tp: TP) -> int | None:
        delivered, acked, last = self._delivered[tp], self._acked_index[tp], None
        while delivered and delivered[0] in acked:
            last = delivered.popleft()
            acked.discard(last)
        self._acked[tp][:] = list(acked)
        if last is None:
            return None
        return delivered[0] if delivered else last + 1

    def ack(self, message: Any) -> bool:
        # An acknowledgement of an older generation must not count against offsets that will be delivered again.
        if message.generation_id != self.app.consumer_generation_id and not self.app.rebalancing:
            message.acked = True
            self._unacked_messages.discard(message)
            return False
        return bool(super().ack(message))

    def _forget_delivered(self) -> None:
        for tp in list(self._delivered):
            del self._delivered[tp]
            self._acked.pop(tp, None)
            self._acked_index.pop(tp, None)

    async def _deliver(self, records: Mapping[TP, list[Any]]) -> None:
        """Deliver as stock Faust does, record by record."""
        generation, callback = self.app.consumer_generation_id, self.callback
        acks_enabled_for = self.app.topics.acks_enabled_for
        for tp, record in self.scheduler.iterate(records):
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return
            read = self._read_offset[tp]
            if read is not None and record.offset < read:
                continue
            if acks_enabled_for(tp.topic):
                self._delivered[tp].append(record.offset)
            await self._call(callback(self._to_message(tp, record)))
            self._read_offset[tp] = record.offset

    async def _call(self, callback: Any) -> None:
        """Run the callback; race it against the suspend event only if it blocks, because a queue is full.

        Stock Faust always races them, with two tasks for each record: half of the cost of receiving one.
        """
        try:
            first = callback.send(None)
        except StopIteration:
            return
        await self.wait_first(_resume(callback, first), self.suspend_flow.wait())


async def _resume(coroutine: Coroutine[Any, Any, None], first: Any) -> None:
    await _step(coroutine, first)


@types.coroutine
def _step(coroutine: Coroutine[Any, Any, None], waited: Any) -> Generator[Any, Any, None]:
    """Continue a coroutine that was started by hand and now awaits the future `waited`."""
    while True:
        try:
            sent = yield waited
        except BaseException as error:
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, sent)
        try:
            waited = step()
        except StopIteration:
            return
