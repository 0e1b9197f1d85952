"""Measures how long a group member can be sure that its partitions are its own.

The group gives a member's partitions to others if no heartbeat came for the session timeout, or if the member does not
join a rebalance. A process that was frozen for longer does not know it when it continues. All that it has is the time
of the last request that the group's coordinator accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

from pipeline import clock
from pipeline.clock import NEVER, Moment

USED_SHARE: Final = 0.8
"""Share of the timeout for which the lease is valid. The rest is for the time between the check and the action."""


class MembershipLease:
    """A member's lease on its partitions. It is renewed in the client's thread and read in the app's."""

    def __init__(self, seconds: float, now: Callable[[], Moment] = clock.now) -> None:
        self._seconds = seconds * USED_SHARE
        self._now = now
        self._renewed = NEVER

    @property
    def valid(self) -> bool:
        """True if no other member can have the partitions yet."""
        return clock.age(self._renewed, self._now()) < self._seconds

    def renew(self, sent: Moment) -> None:
        """Renew the lease from `sent`, the time at which an accepted request was sent."""
        self._renewed = max(self._renewed, sent)

    def renew_on_heartbeats(self, coordinator: Any) -> None:
        """Renew the lease with every accepted heartbeat and join of aiokafka's coordinator.

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
