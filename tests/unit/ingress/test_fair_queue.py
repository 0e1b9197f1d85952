"""The order in which waiting requests get their turns."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingress.fair_queue import QUANTUM, REQUEST_BYTES, Entry, FairQueue, Origin

SMALL = 1_000


def fill(queue: FairQueue[str], tenant: str, count: int, account: str = "1", weight: float = 1.0) -> list[Entry[str]]:
    return [queue.add(Origin(tenant, account, weight), SMALL, f"{tenant}{account}.{n}") for n in range(count)]


def taken(queue: FairQueue[str]) -> list[str]:
    found = []
    while queue:
        found.append(queue.pop().item)
    return found


def test_a_light_tenant_waits_for_one_turn_of_the_heavy_one() -> None:
    """A webhook would wait for the whole backlog of a tenant that has nothing to do with it."""
    queue: FairQueue[str] = FairQueue()
    fill(queue, "heavy", 1_000)
    for _ in range(10):
        queue.pop()
    fill(queue, "light", 1)
    assert taken(queue).index("light1.0") <= QUANTUM // REQUEST_BYTES


def test_a_tenant_of_twice_the_weight_gets_twice_the_turns() -> None:
    """A weight in the tenants file would mean nothing at the ingress."""
    queue: FairQueue[str] = FairQueue()
    fill(queue, "a", 500, weight=2)
    fill(queue, "b", 500)
    first = list(islice(taken(queue), 300))
    assert 195 <= sum(item.startswith("a") for item in first) <= 205


def test_a_weight_of_nearly_nothing_is_a_turn_now_and_then() -> None:
    """A typing error in the tenants file would stop the ingress, or a tenant for good."""
    queue: FairQueue[str] = FairQueue()
    fill(queue, "a", 2, weight=1e-12)
    fill(queue, "b", 1_000, weight=1e12)
    assert len(taken(queue)) == 1_002


def test_large_webhooks_cost_their_tenant_more_turns() -> None:
    """A tenant of large webhooks would take the broker from those of small ones."""
    queue: FairQueue[str] = FairQueue()
    for n in range(20):
        queue.add(Origin("large", "1"), 20 * QUANTUM, f"large.{n}")
    fill(queue, "small", 100)
    before = taken(queue)
    assert sum(item.startswith("large") for item in before[: before.index("small1.99")]) <= 6


def test_accounts_of_a_tenant_take_turns_and_each_keeps_its_order() -> None:
    """A number's webhook would wait for all those of its tenant's campaign number, or overtake its own."""
    queue: FairQueue[str] = FairQueue()
    fill(queue, "a", 50)
    fill(queue, "a", 3, account="2")
    found = taken(queue)
    assert found.index("a2.2") <= 6
    assert [item for item in found if item.startswith("a1")] == [f"a1.{n}" for n in range(50)]


def test_the_heaviest_for_its_weight_is_named_by_its_newest() -> None:
    """A light tenant's webhook would lose its place to a flood, or an old one to a new one of the same number."""
    queue: FairQueue[str] = FairQueue()
    fill(queue, "weighty", 30, weight=10)
    fill(queue, "heavy", 10)
    fill(queue, "heavy", 3, account="2")
    fill(queue, "light", 1)
    found = queue.heaviest()
    assert found is not None
    assert found.item == "heavy1.9"
    assert FairQueue[str]().heaviest() is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12"), st.integers(0, 200_000), st.booleans())))
def test_every_request_is_handed_out_once_or_removed(requests: list[tuple[str, str, int, bool]]) -> None:
    """A webhook would wait until its deadline though nobody is before it, or be published twice."""
    queue: FairQueue[int] = FairQueue()
    stays = set()
    for number, (tenant, account, size, removed) in enumerate(requests):
        entry = queue.add(Origin(tenant, account), size, number)
        stays.add(number)
        if removed:
            queue.remove(entry)
            queue.remove(entry)
            stays.remove(number)
    assert queue.size == sum(requests[number][2] for number in stays)
    found = []
    while queue:
        found.append(queue.pop().item)
    assert (len(found), set(found), queue.size) == (len(stays), stays, 0)
