"""How long a member may be sure that its partitions are its own.

The group gives a member's partitions to others when it has not heard of it for the session timeout, or when it does
not come to a rebalance. A process that was frozen for longer does not know that yet when it goes on: the only thing
that it has is the time of the last request that the group's coordinator accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

from pipeline import clock
from pipeline.clock import NEVER, Moment

MARGIN: Final = 0.8
"""The part of the timeout that is used: the rest is for what happens between the look and the deed."""


class Lease:
    """A member's hold on its partitions. It is renewed in the client's thread and read in the app's."""

    def __init__(self, seconds: float, now: Callable[[], Moment] = clock.now) -> None:
        self._seconds = seconds * MARGIN
        self._now = now
        self._renewed = NEVER

    @property
    def valid(self) -> bool:
        """Whether no other member can have the partitions yet."""
        return clock.age(self._renewed, self._now()) < self._seconds

    def renew(self, sent: Moment) -> None:
        """The coordinator accepted a request that was sent at `sent`."""
        self._renewed = max(self._renewed, sent)

    def follow(self, coordinator: Any) -> None:
        """Renews it with every heartbeat that aiokafka's coordinator sends with success, and with each joining.

        A heartbeat that is answered with `REBALANCE_IN_PROGRESS` renews nothing: the time to join runs already.
        """
        send = coordinator._send_req

        async def _send_req(request: Any) -> Any:
            sent = self._now()
            response = await send(request)
            if isinstance(request, HeartbeatRequest | SyncGroupRequest) and not response.error_code:
                self.renew(sent)
            return response

        coordinator._send_req = _send_req
