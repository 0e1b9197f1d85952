"""The plan of faults: replayable, and hard enough."""

from __future__ import annotations

from dataclasses import replace

from chaos.options import Options
from chaos.plan import FIRST, KILLS, TARGETS, WORKERS, Act, plan, second
from pipeline.settings import Settings

LONG = Options(seconds=600, kill_every=7)


def test_a_seed_gives_the_same_plan_again_and_another_seed_another() -> None:
    """Without it, nobody could have the run again in which an effect went missing."""
    assert plan(LONG) == plan(LONG)
    assert plan(LONG) != plan(Options(seconds=600, kill_every=7, seed=2))


def test_every_kind_of_process_is_killed_before_any_is_killed_again() -> None:
    """A short run would leave a kind of process untried, and its reader would not know."""
    kills = [fault.target.removesuffix("-2") for fault in plan(LONG) if fault.act in KILLS]
    assert len(kills) >= 60
    for start in range(0, len(kills) - len(TARGETS), len(TARGETS)):
        assert set(kills[start : start + len(TARGETS)]) == set(TARGETS)


def test_a_second_worker_is_only_touched_while_it_is_there() -> None:
    """The harness would kill nothing and count a kill, or remove a worker that nobody added."""
    present: set[str] = set()
    for fault in plan(LONG):
        if fault.act is Act.ADD:
            assert fault.target not in present
            present.add(fault.target)
        elif fault.act is Act.REMOVE:
            present.remove(fault.target)
        elif fault.act in KILLS and fault.target.endswith("-2"):
            assert fault.target in present
    assert any(fault.target == second("messenger") for fault in plan(LONG))


def test_every_app_has_a_worker_that_is_frozen_for_longer_than_its_session() -> None:
    """A paused machine that goes on with what is another's by then would only ever be met in production."""
    freezes = [fault for fault in plan(LONG) if fault.act is Act.FREEZE]
    assert {fault.target for fault in freezes} == set(WORKERS)
    assert min(fault.amount for fault in freezes) > Settings().session_timeout
    assert not [fault for fault in plan(replace(LONG, freeze_every=0)) if fault.act is Act.FREEZE]


def test_the_traffic_is_undisturbed_at_first_and_the_provider_recovers_from_latency() -> None:
    """Kills before the first message meet no work; a latency without an end would slow the count down for nothing."""
    faults = plan(LONG)
    assert min(fault.at for fault in faults) >= FIRST
    latencies = [fault.amount for fault in faults if fault.act is Act.LATENCY]
    assert latencies.count(0) == len(latencies) / 2
