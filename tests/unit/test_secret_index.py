"""Secrets are found by digest, in constant time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.secret_index import SecretIndex
from tests.support.opcodes import count_opcodes

TEXTS = st.text(st.characters(), max_size=20)


@given(st.dictionaries(st.tuples(TEXTS, TEXTS), st.integers(), max_size=8), st.tuples(TEXTS, TEXTS))
def test_exactly_the_holders_of_a_secret_are_found(holders: dict[tuple[str, str], int], other: tuple[str, str]) -> None:
    """One tenant's secret would open another's account, or none at all."""
    index = SecretIndex[int]()
    for secret, holder in holders.items():
        index.add(holder, *secret)
    assert {secret: list(index.find(*secret)) for secret in holders} == {key: [value] for key, value in holders.items()}
    assert list(index.find(*other)) == ([holders[other]] if other in holders else [])


def test_parts_are_not_run_together() -> None:
    """A tenant `a` with the secret `bc` would be let in as tenant `ab` with the secret `c`."""
    index = SecretIndex[str]()
    index.add("a", "a", "bc")
    assert [list(index.find(*parts)) for parts in (("ab", "c"), ("abc",), ("a", "b", "c"), ("", "abc"))] == [[]] * 4


def test_holders_of_one_secret_come_in_the_order_of_the_file() -> None:
    """Which of two sessions with one secret is meant would change from start to start."""
    index = SecretIndex[str]()
    for name in ("first", "second", "third"):
        index.add(name, "shared")
    assert list(index.find("shared")) == ["first", "second", "third"]


def test_digests_are_of_this_object_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody could choose what to present by its digest, and learn by time how far it is like a secret's."""
    one, other = SecretIndex[int](), SecretIndex[int]()
    for index in (one, other):
        index.add(1, "secret")
    digests: list[Any] = [set(vars(index)["_holders"]) for index in (one, other)]
    assert digests[0].isdisjoint(digests[1])
    assert b"secret" not in b"".join(digests[0])


def test_a_look_up_does_the_same_work_whatever_is_there() -> None:
    """Ten thousand keys would be compared for each request, and time would tell how many there are."""

    def work(secrets: int, given_secret: str) -> int:
        index = SecretIndex[int]()
        for number in range(secrets):
            index.add(number, f"secret-{number:06}")
        return count_opcodes(lambda: index.find(given_secret))

    assert {work(1, "secret-000000"), work(1_000, "secret-000999"), work(1_000, "secret-nobody")} == {
        work(0, "secret-000000")
    }
