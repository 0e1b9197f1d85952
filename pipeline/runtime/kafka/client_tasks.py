"""The background tasks of aiokafka's clients. If one has ended, the client does nothing more and reports no error.

It reads private names of aiokafka 0.14.0, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pipeline.errors import ClientDied

ClientTasks = Mapping[str, asyncio.Task[Any] | None]
"""Background tasks by what they maintain."""


def consumer_tasks(consumer: Any) -> ClientTasks:
    return {
        "the consumer's metadata": consumer._client._sync_task,
        "the consumer's place in its group": consumer._coordinator._coordination_task,
        "the consumer's fetching": consumer._fetcher._fetch_task,
    }


def producer_tasks(producer: Any) -> ClientTasks:
    return {"the producer's metadata": producer.client._sync_task}


def dead_task(tasks: ClientTasks) -> ClientDied | None:
    """Return an error for the first task that has ended, or None if all of them run."""
    for what, task in tasks.items():
        if task is not None and task.done():
            cause = None if task.cancelled() else task.exception()
            return ClientDied(f"the task for {what} has ended: {cause or 'cancelled'!r}")
    return None
