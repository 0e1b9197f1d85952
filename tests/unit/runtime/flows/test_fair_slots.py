"""Concurrency slots in turn."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from pipeline.runtime.flows.fair_slots import FairSlots
from pipeline.runtime.flows.fairness import FairKey, Fairness
from pipeline.testing.own_time import OwnTime


def _order(slots: FairSlots, wanted: list[FairKey]) -> list[FairKey]:
    """Return the order in which slots are given to all that ask at once, each for one second."""
    order: list[FairKey] = []

    async def use(fair_key: FairKey) -> None:
        await slots.acquire(fair_key)
        order.append(fair_key)
        await asyncio.sleep(1)
        slots.release(fair_key)

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            for fair_key in wanted:
                tasks.create_task(use(fair_key))

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())
    return order


def _fairness(weights: dict[str, float] | None = None) -> Fairness:
    return Fairness(key=lambda value: value, weight=lambda group: (weights or {}).get(group, 1.0))


def test_a_light_group_waits_for_one_round_and_not_for_a_backlog() -> None:
    """A tenant with one message would wait for the thousand of another."""
    order = _order(FairSlots(1, _fairness()), [("heavy", f"k{n}") for n in range(100)] + [("light", "k")])
    assert order.index(("light", "k")) <= 2


def test_keys_of_a_group_take_turns() -> None:
    """A conversation would wait for all messages of another one of the same tenant."""
    order = _order(FairSlots(1, _fairness()), [("g", "hot")] * 50 + [("g", "cold")])
    assert order.index(("g", "cold")) <= 2


def test_weights_divide_the_slots() -> None:
    """A tenant that pays for more would get no more."""
    weights = {"double": 2.0, "single": 1.0, "half": 0.5}
    wanted: list[FairKey] = [(group, f"k{n}") for n in range(100) for group in weights]
    first = Counter(group for group, _ in _order(FairSlots(1, _fairness(weights)), wanted)[:70])
    assert first["double"] == pytest.approx(40, abs=2)
    assert first["half"] == pytest.approx(10, abs=2)


def test_one_group_never_holds_all_slots_while_there_are_others() -> None:
    """A tenant whose hooks hang would hold every slot for as long as they may take."""
    slots, held = FairSlots(100, _fairness()), 0

    async def hold() -> None:
        nonlocal held
        await slots.acquire(("hangs", "k"))
        held += 1

    async def run() -> None:
        tasks = [asyncio.ensure_future(hold()) for _ in range(200)]
        await asyncio.sleep(1)
        assert held == 75
        await slots.acquire(("other", "k"))
        for task in tasks:
            task.cancel()

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())


def test_a_waiter_that_is_cancelled_takes_no_slot() -> None:
    """A worker would lose a slot with every record that moves away while it waits, and stop in the end."""

    async def run() -> None:
        slots = FairSlots(1)
        await slots.acquire(("", ""))
        waiters = [asyncio.ensure_future(slots.acquire(("", ""))) for _ in range(3)]
        await asyncio.sleep(0)
        slots.release(("", ""))  # the first one has its slot, and does not know it
        waiters[0].cancel()
        waiters[1].cancel()
        await asyncio.wait(waiters)
        assert not waiters[2].cancelled()
        slots.release(("", ""))
        await slots.acquire(("", ""))
        assert slots.waiting == 0

    asyncio.run(run())
