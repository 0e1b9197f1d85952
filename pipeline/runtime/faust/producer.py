"""Faust's producer for plain agents, without its ways of losing records. Flows publish through `kafka.publisher`.

It overrides private names of faust-streaming 0.15.3, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from faust.exceptions import ProducerSendError
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer
from faust.types.tuples import FutureMessage

from pipeline.runtime.kafka.idempotent_producer import RecoverableIdempotentProducer


class DrainingBuffer(ProducerBuffer):
    """A buffer whose flush waits for all records.

    Stock Faust's flush gives up after 100 ms and does not count the record that is being sent.
    """

    max_messages = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        self._sending = False
        self._sent = asyncio.Event()

    async def _send_pending(self, fut: FutureMessage) -> None:
        self._sending = True
        try:
            await super()._send_pending(fut)
        finally:
            self._sending = False
            self._sent.set()

    async def flush(self) -> None:
        while self.size or self._sending:
            await self._wait_for_one()

    async def wait_until_ebb(self) -> None:
        while self.size > self.max_messages:
            await self._wait_for_one()

    async def _wait_for_one(self) -> None:
        if self.state != "running" and self.size:
            raise ProducerSendError("the producer stopped with records in its buffer")
        self._sent.clear()
        await self._sent.wait()


class Producer(driver.Producer):
    """An idempotent producer, acknowledged by all in-sync replicas. After a failed send the next flush crashes the app.

    Faust flushes before each commit, so no offset is committed whose output is lost.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffer = DrainingBuffer(loop=self.loop, beacon=self.beacon)
        self.buffer.app = self.app
        self._failed: BaseException | None = None

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    @property
    def _producer_type(self) -> type[RecoverableIdempotentProducer]:
        return RecoverableIdempotentProducer

    async def send(self, *args: Any, **kwargs: Any) -> Any:
        future = await super().send(*args, **kwargs)
        asyncio.ensure_future(future).add_done_callback(self._remember)
        return future

    async def flush(self) -> None:
        await super().flush()
        await asyncio.sleep(0)  # runs the callbacks of what was flushed
        if self._failed is not None:
            error = ProducerSendError(f"the broker did not take an output: {self._failed!r}")
            await self.app.crash(error)
            raise error

    def _remember(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is not None:
            self._failed = self._failed or future.exception()
