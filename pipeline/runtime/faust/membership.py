"""A static member whose instance id another live worker has taken: it ends, so that the newer one works alone.

Kafka gives the place of an instance id to whoever joined last with it. aiokafka hears that its own member is unknown,
as after an expired session, and joins again: two workers with one instance id would evict each other for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import SyncGroupRequest

from pipeline.errors import InstanceFenced

FENCED_INSTANCE_ID: Final = 82
"""Kafka's error code for a member whose instance id another member has. aiokafka has no class for it."""
FENCED_AGAIN: Final = 60.0
"""Seconds between two times of being fenced by which another worker is known to go on with the instance id."""

Rejoin = Callable[[Any], Awaitable[bool]]


def end_when_fenced(coordinator: Any, rejoin: Rejoin, on_fenced: Callable[[Exception], object]) -> Rejoin:
    """Return `rejoin` for a static member that first asks whether another member has its instance id by now.

    Then `on_fenced` is called with `InstanceFenced`, and must end the process. A worker that has just started was no
    member yet, so it takes the place of a dead one at once.
    """
    instance: str | None = coordinator._group_instance_id
    if instance is None:
        return rejoin
    member: tuple[int, str] | None = None

    async def lost_place() -> bool:
        """Return True if the place was lost, once the client ends: the process ends with the error, not with its."""
        if member is None or not await _is_fenced(coordinator, *member):
            return False
        on_fenced(
            InstanceFenced(
                f"another live worker has the instance id of this one, and is newer, so this one ends ({instance}): "
                "give each a PIPELINE_INSTANCE_ID of its own"
            )
        )
        await asyncio.wait([coordinator._closing])
        return True

    async def join(subscription: Any) -> bool:
        nonlocal member
        if await lost_place():
            return False
        try:
            joined = await rejoin(subscription)
        except KafkaError:
            if await lost_place():
                return False
            raise
        if joined:
            member = coordinator.generation, coordinator.member_id
        return joined

    return join


async def _is_fenced(coordinator: Any, generation: int, member_id: str) -> bool:
    """Return True if another member has the instance id. The request changes nothing, whatever the answer is."""
    request = SyncGroupRequest(coordinator.group_id, generation, member_id, coordinator._group_instance_id, [])
    try:
        response = await coordinator._send_req(request)
    except KafkaError:
        return False
    return bool(response.error_code == FENCED_INSTANCE_ID)


class FencedNote:
    """The file that says when this worker was fenced, for the process that its supervisor starts next.

    Args:
        path: the file; None: none is kept, for a worker without an instance id.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, now: float | None = None) -> None:
        """Note that the worker is fenced now, in unix seconds."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(orjson.dumps([*self._times()[-1:], time.time() if now is None else now]))

    def clear(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    @property
    def again(self) -> bool:
        """True if the worker was fenced twice within `FENCED_AGAIN` seconds the last two times."""
        times = self._times()
        return len(times) > 1 and times[-1] - times[-2] < FENCED_AGAIN

    def _times(self) -> list[float]:
        """Return the noted times; none if the file is missing or torn."""
        try:
            found = orjson.loads(self._path.read_bytes()) if self._path is not None else []
        except (OSError, orjson.JSONDecodeError):
            return []
        return [float(each) for each in found if isinstance(each, int | float)] if isinstance(found, list) else []
