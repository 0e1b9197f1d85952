"""How long a member may be sure of its partitions: by what its group accepted, on clocks that count suspension."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest

from pipeline import clock
from pipeline.clock import Moment, age
from pipeline.runtime.process.lease import USED_SHARE, MembershipLease

SESSION = 25.0
REBALANCE_IN_PROGRESS = 27


class Time:
    """A clock that goes on when a test says so: of a running machine, or of one that is suspended."""

    def __init__(self) -> None:
        self.at = Moment(1_000.0, 1_700_000_000.0)

    def __call__(self) -> Moment:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at = Moment(self.at.running + seconds, self.at.wall + seconds)

    def is_paused(self, seconds: float) -> None:
        """A virtual machine was paused: only the wall clock was set anew."""
        self.at = self.at._replace(wall=self.at.wall + seconds)


class Coordinator:
    """Stands for aiokafka's: each request takes so many seconds and is answered with this error code."""

    def __init__(self, time: Time, takes: float = 0.0, error_code: int = 0) -> None:
        self._time = time
        self.takes = takes
        self.error_code = error_code

    async def _send_req(self, _: object) -> Any:
        self._time.passes(self.takes)
        return SimpleNamespace(error_code=self.error_code)


def _request(kind: type) -> Any:
    return object.__new__(kind)


def _followed(time: Time, **answers: Any) -> tuple[MembershipLease, Coordinator]:
    lease, coordinator = MembershipLease(SESSION, time), Coordinator(time, **answers)
    lease.renew_on_heartbeats(coordinator)
    return lease, coordinator


def _send(coordinator: Coordinator, kind: type = HeartbeatRequest) -> None:
    asyncio.run(coordinator._send_req(_request(kind)))


@pytest.mark.parametrize("kind", [HeartbeatRequest, SyncGroupRequest])
def test_it_holds_from_a_request_that_the_group_accepted(kind: type) -> None:
    """Nothing would ever be sent."""
    time = Time()
    lease, coordinator = _followed(time)
    held = [lease.valid]
    _send(coordinator, kind)
    held.append(lease.valid)
    time.passes(SESSION * USED_SHARE - 1)
    held.append(lease.valid)
    assert held == [False, True, True]


@pytest.mark.parametrize("pass_by", [Time.passes, Time.is_paused])
def test_it_ends_before_the_session_does_whatever_the_machine_did_meanwhile(pass_by: Any) -> None:
    """A machine that was suspended would send what another worker has sent by then."""
    time = Time()
    lease, coordinator = _followed(time)
    _send(coordinator)
    pass_by(time, SESSION * USED_SHARE)
    assert not lease.valid


@pytest.mark.parametrize(
    ("kind", "error_code"), [(HeartbeatRequest, REBALANCE_IN_PROGRESS), (HeartbeatRequest, 25), (JoinGroupRequest, 0)]
)
def test_no_other_answer_renews_it(kind: type, error_code: int) -> None:
    """A member that its group has given up, or is about to, would go on as if it were heard."""
    lease, coordinator = _followed(Time(), error_code=error_code)
    _send(coordinator, kind)
    assert not lease.valid


def test_an_answer_that_was_read_after_a_freeze_counts_from_when_it_was_asked_for() -> None:
    """The answer that was on its way when the process froze would renew what is long over."""
    lease, coordinator = _followed(Time(), takes=SESSION)
    _send(coordinator)
    assert not lease.valid


def test_an_age_is_that_of_the_clock_which_counted_more() -> None:
    """A clock that stood still, or that was set back, would make something old look fresh."""
    then = Moment(10.0, 100.0)
    assert age(then, Moment(15.0, 101.0)) == 5
    assert age(then, Moment(11.0, 160.0)) == 60
    assert age(then, Moment(20.0, 40.0)) == 10
    assert 0 <= age(clock.now()) < 60
