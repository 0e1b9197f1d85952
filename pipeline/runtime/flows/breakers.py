"""The breakers of a flow: one for all of its records, and one for each group that fails.

A group whose records fail is held, probed, and parked where it is in the way; the others go on. Its failures count for
the flow only until its own breaker opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.runtime.flows.breaker import Breaker, BreakerConfig

NewBreaker = Callable[[str], Breaker]
"""Makes the breaker of a group."""


def group_config(flow: BreakerConfig) -> BreakerConfig:
    """Return the limits of a group: half of the flow's, so that the breaker of a single group opens first."""
    return replace(flow, consecutive=(flow.consecutive + 1) // 2, min_samples=(flow.min_samples + 1) // 2)


class Breakers:
    """The breaker of a flow and those of its groups.

    Args:
        new_group: None: groups have no breakers.
        has_groups: returns True if there is more than one group.
    """

    def __init__(self, flow: Breaker, new_group: NewBreaker | None, has_groups: Callable[[], bool]) -> None:
        self.flow = flow
        self._new_group = new_group
        self._has_groups = has_groups
        self._groups: dict[str, Breaker] = {}

    def is_open(self, group: str) -> bool:
        """Return True if the breaker of the group itself is open."""
        breaker = self._groups.get(group)
        return breaker is not None and breaker.open

    @property
    def open_groups(self) -> Mapping[str, str]:
        """The kind of error that opened the breaker of a group, by group."""
        return {group: breaker.cause for group, breaker in self._groups.items() if breaker.cause is not None}

    def failed(self, group: str, error: Exception) -> None:
        """Record that a record of a group failed at its first try."""
        breaker = self._groups.get(group)
        if breaker is None and self._new_group is not None and self._has_groups():
            breaker = self._groups[group] = self._new_group(group)
        if breaker is not None:
            breaker.failed(error)
            if breaker.open:
                return
        self.flow.failed(error)

    def succeeded(self, group: str) -> None:
        """Record that a record succeeded at its first try."""
        self.flow.succeeded(1)
        if breaker := self._groups.get(group):
            breaker.succeeded(1)

    def recovered(self, group: str, *, exhausted: bool) -> None:
        """Record that a record succeeded which had failed. See `Breaker.recovered`."""
        self.flow.recovered(exhausted=exhausted)
        if breaker := self._groups.get(group):
            breaker.recovered(exhausted=exhausted)

    def forbid_giving_up(self, group: str, error: Exception) -> bool:
        """Return True if a record that failed with `error` must be tried again, however often it was."""
        breaker = self._groups.get(group)
        return self.flow.forbids_giving_up(error) or (breaker is not None and breaker.forbids_giving_up(error))

    def forget_groups(self) -> None:
        """Close the breakers of all groups: partitions have moved."""
        for breaker in self._groups.values():
            breaker.on_idle()
        self._groups.clear()
