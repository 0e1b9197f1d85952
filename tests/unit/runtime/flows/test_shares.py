"""The division of a window among keys and groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.flows.shares import GROUP_FACTOR, Shares

CAPACITY = 1_000


def _shares(*, groups: bool = True) -> Shares:
    return Shares(CAPACITY, lambda: groups, lambda _: 1.0)


def _fill(shares: Shares, *fairness: tuple[str, str]) -> None:
    """Let keys take as much as they may, in turn."""
    growing = list(fairness)
    while growing:
        for fair_key in list(growing):
            if shares.fits(fair_key):
                shares.add(fair_key)
            else:
                growing.remove(fair_key)


@given(st.integers(1, 30))
def test_heavy_keys_leave_room_for_one_that_has_nothing(keys: int) -> None:
    """One user's flood would fill the window, and the next user's message would wait behind all of it."""
    shares = _shares()
    _fill(shares, *((f"g{n}", f"k{n}") for n in range(keys)))
    assert shares.used < CAPACITY
    assert shares.fits(("new", "new"))


def test_a_group_with_many_keys_leaves_room_for_another() -> None:
    """One tenant's thousand conversations would take every place of a lane."""
    shares = _shares()
    _fill(shares, *(("heavy", f"k{n}") for n in range(2_000)))
    assert shares.used <= CAPACITY * GROUP_FACTOR / (1 + GROUP_FACTOR) + 1


def test_a_single_group_may_use_everything() -> None:
    """An installation with one tenant would leave a quarter of its window empty."""
    shares = _shares(groups=False)
    _fill(shares, *(("only", f"k{n}") for n in range(CAPACITY)))
    assert shares.used >= CAPACITY


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(1, 50)), max_size=60))
def test_everything_that_was_added_can_be_removed(uses: list[tuple[str, str, int]]) -> None:
    """A window would shrink with every record, until it took none."""
    shares = _shares()
    for group, key, units in uses:
        shares.add((group, key), units)
    assert shares.used == sum(units for _, _, units in uses)
    for group, key, units in uses:
        shares.remove((group, key), units)
    assert (shares.used, shares.used_by(("a", "x"))) == (0, 0)
