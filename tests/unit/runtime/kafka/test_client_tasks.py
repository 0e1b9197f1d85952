"""Whether a client of aiokafka's still lives."""

from __future__ import annotations

import asyncio

from pipeline.runtime.kafka.client_tasks import dead_task


async def _ended(error: Exception | None) -> asyncio.Task[None]:
    async def keep() -> None:
        if error is not None:
            raise error

    task = asyncio.create_task(keep())
    await asyncio.wait([task])
    return task


def test_a_keeper_that_has_ended_in_any_way_is_named_with_its_reason() -> None:
    """A worker that has to be restarted would look as if it waited for the broker."""

    async def body() -> None:
        running = asyncio.create_task(asyncio.Event().wait())
        assert dead_task({"a": running, "not started": None}) is None
        assert "'it was ended'" in str(dead_task({"a": running, "b": await _ended(None)}))
        assert "keeps b any more: ValueError('buffer')" in str(
            dead_task({"a": running, "b": await _ended(ValueError("buffer"))})
        )
        running.cancel()
        await asyncio.wait([running])
        assert "keeps a any more" in str(dead_task({"a": running}))

    asyncio.run(body())
