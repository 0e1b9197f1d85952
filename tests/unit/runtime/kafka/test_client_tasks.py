"""A client of aiokafka whose background task has ended is found."""

from __future__ import annotations

import asyncio

from pipeline.runtime.kafka.client_tasks import dead_task


async def _ended(error: Exception | None) -> asyncio.Task[None]:
    async def work() -> None:
        if error is not None:
            raise error

    task = asyncio.create_task(work())
    await asyncio.wait([task])
    return task


def test_a_task_that_has_ended_in_any_way_is_named_with_its_reason() -> None:
    """A worker that has to be restarted would look as if it waited for the broker."""

    async def body() -> None:
        running = asyncio.create_task(asyncio.Event().wait())
        assert dead_task({"a": running, "not started": None}) is None
        assert "'cancelled'" in str(dead_task({"a": running, "b": await _ended(None)}))
        assert "the task for b has ended: ValueError('buffer')" in str(
            dead_task({"a": running, "b": await _ended(ValueError("buffer"))})
        )
        running.cancel()
        await asyncio.wait([running])
        assert "the task for a has ended" in str(dead_task({"a": running}))

    asyncio.run(body())
