"""The tasks that keep aiokafka's clients going. Where one has ended nothing works any more, and nothing says so.

It reads private names of aiokafka 0.14.0, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pipeline.errors import PipelineError

Keepers = Mapping[str, asyncio.Task[Any] | None]
"""By what they keep."""


class ClientLost(PipelineError):
    """A client that only a new process can mend."""


def of_consumer(consumer: Any) -> Keepers:
    return {
        "the consumer's metadata": consumer._client._sync_task,
        "the consumer's place in its group": consumer._coordinator._coordination_task,
        "the consumer's fetching": consumer._fetcher._fetch_task,
    }


def of_producer(producer: Any) -> Keepers:
    return {"the producer's metadata": producer.client._sync_task}


def lost(keepers: Keepers) -> ClientLost | None:
    """What is no longer kept of a client that runs."""
    for what, task in keepers.items():
        if task is not None and task.done():
            why = None if task.cancelled() else task.exception()
            return ClientLost(f"nothing keeps {what} any more: {why or 'it was ended'!r}")
    return None
