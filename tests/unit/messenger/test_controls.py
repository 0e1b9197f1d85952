"""The controls in force, whatever records came in whatever order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messenger.controls import PAUSED, TENANT_PAUSED, UNREADABLE, ControlChange, Controls
from pipeline.tenants import Account
from pipeline.testing import TestRecord
from pipeline.topics.controls import ControlKey, OperatorControl, limit_key, pause_key, tenant_pause_key
from pipeline.topics.headers import VERSION
from pipeline.topics.versions import READABLE
from tests.support.controls import START, at, limit, pause, record, tenants

RATE = 80.0
OWNERS = {"1": "acme", "2": "acme", "3": "globex"}
KNOWN = tenants(RATE, acme=["1", "2"], globex=["3"])


def account(name: str) -> Account:
    found = KNOWN.account("cloud", name)
    assert found is not None
    return found


def paused(controls: Controls, name: str, seconds: float = 0.0) -> bool:
    """Whether an account is paused so many seconds after the start, as the messenger asks before a call."""
    found = controls.pauses.get(("cloud", name))
    return found is not None and START + seconds < found.until


def apply(controls: Controls, *decided: OperatorControl, seconds: float = 0.0) -> list[ControlChange]:
    return [change for each in decided for change in controls.apply(record(each), START + seconds)]


def test_a_pause_stops_its_account_and_no_other() -> None:
    """A number with a broken campaign would go on, or all numbers of all tenants would be silent."""
    controls = Controls(KNOWN)
    (change,) = apply(controls, pause("1"))
    assert change == ControlChange("acme", account("1"), rate_changed=False)
    assert [paused(controls, name) for name in OWNERS] == [True, False, False]
    apply(controls, pause("1", active=False))
    assert not any(paused(controls, name) for name in OWNERS)
    assert controls.pauses == {}, "a look-up before each call would find what has ended"


def test_the_pause_of_a_tenant_and_that_of_its_account_are_two() -> None:
    """Whoever resumes a tenant would let a number go on that a colleague has paused for a reason of its own."""
    controls = Controls(KNOWN)
    assert {change.account.id for change in apply(controls, pause(tenant="acme"))} == {"1", "2"}
    assert [paused(controls, name) for name in OWNERS] == [True, True, False]
    assert controls.pauses["cloud", "1"].cause == TENANT_PAUSED
    apply(controls, pause("1"), pause(tenant="acme", active=False))
    assert [paused(controls, name) for name in OWNERS] == [True, False, False]
    assert controls.pauses["cloud", "1"].cause == PAUSED
    apply(controls, pause(tenant="acme"), pause("1", active=False))
    assert [paused(controls, name) for name in OWNERS] == [True, True, False]


def test_a_control_ends_at_its_time_and_is_told_once() -> None:
    """A number that was paused for an hour would be silent until somebody remembers it."""
    controls = Controls(KNOWN)
    apply(controls, pause("1", until=at(60)), limit("2", 5, until=at(30)))
    assert controls.end_due(START + 29.9) == []
    assert controls.rate(account("2")) == 5
    assert controls.end_due(START + 30) == [ControlChange("acme", account("2"), rate_changed=True)]
    assert controls.rate(account("2")) == RATE
    assert paused(controls, "1", 59.9)
    assert not paused(controls, "1", 60), "a call must not wait for who tells of the end"
    assert [change.account.id for change in controls.end_due(START + 60)] == ["1"]
    assert not controls.has_ends
    assert controls.find(pause_key("cloud:1"), START + 60) is None


def test_what_had_ended_before_it_was_read_is_not_in_force() -> None:
    """A messenger that starts on Monday would obey a pause that was for Sunday."""
    controls = Controls(KNOWN)
    apply(controls, pause("1", until=at(60)), limit("1", 5, until=at(60)), seconds=61)
    assert not paused(controls, "1", 61)
    assert controls.rate(account("1")) == RATE
    assert not controls.has_ends


def test_a_later_decision_replaces_the_end_of_an_earlier_one() -> None:
    """A pause that was made longer would end at its first time."""
    controls = Controls(KNOWN)
    apply(controls, pause("1", until=at(60)), pause("1", until=at(600)))
    controls.end_due(START + 60)
    assert paused(controls, "1", 60)
    apply(controls, pause("1"))
    controls.end_due(START + 600)
    assert paused(controls, "1", 1e9)


def test_the_longer_of_two_pauses_counts() -> None:
    """A number would go on while its tenant is still paused."""
    controls = Controls(KNOWN)
    apply(controls, pause("1", until=at(60)), pause(tenant="acme", until=at(90)))
    assert controls.pauses["cloud", "1"].until == START + 90
    controls.end_due(START + 60)
    assert paused(controls, "1", 89)


def test_a_limit_may_be_lower_or_higher_than_the_file() -> None:
    """A number that Meta has raised would need a restart of all messengers, as would one that must be slowed."""
    controls = Controls(KNOWN)
    for rate in (5.0, 500.0):
        (change,) = apply(controls, limit("1", rate))
        assert change.rate_changed
        assert (controls.rate(account("1")), controls.rate(account("2"))) == (rate, RATE)
    assert not apply(controls, limit("1", 500.0))[0].rate_changed, "its permits would be void for nothing"
    assert not apply(controls, pause("1"))[0].rate_changed
    assert apply(controls, limit("1", None))[0].rate_changed
    assert controls.rate(account("1")) == RATE


@pytest.mark.parametrize("key", [pause_key("cloud:1"), limit_key("cloud:1"), tenant_pause_key("acme")])
@pytest.mark.parametrize(
    ("value", "headers"),
    [(b"{}", [(VERSION, b"%d" % (READABLE + 1))]), (b"{", []), (b'{"kind":"pause"}', [])],
    ids=["a newer version", "no JSON", "fields are missing"],
)
def test_a_control_that_can_not_be_read_stops_its_target(
    key: ControlKey, value: bytes, headers: list[tuple[str, bytes]]
) -> None:
    """An older messenger would send what a newer command has forbidden."""
    controls = Controls(KNOWN)
    apply(controls, pause("1", until=at(5)))
    controls.apply(TestRecord(value, key.encode(), tuple(headers)), START)
    assert paused(controls, "1", 1e9)
    assert controls.pauses["cloud", "1"] == (math.inf, UNREADABLE)
    assert not paused(controls, "3")
    controls.apply(TestRecord(None, key.encode()), START)
    assert controls.unreadable == set()


def test_a_control_about_something_else_than_its_key_stops_its_target() -> None:
    """Compaction would keep or remove another decision than the one that is obeyed."""
    controls = Controls(KNOWN)
    value = record(pause("2")).value
    controls.apply(TestRecord(value, pause_key("cloud:1").encode()), START)
    assert [paused(controls, name) for name in OWNERS] == [True, False, False]


def test_kinds_of_a_newer_version_are_ignored_unless_they_say_that_they_must_be_known() -> None:
    """Old messengers would stop all numbers as soon as a new one has a new kind of control."""
    controls = Controls(KNOWN)
    key = ControlKey("window", "account", "cloud:1").encode()
    assert [change.account.id for change in controls.apply(TestRecord(b'{"kind":"window"}', key), START)] == ["1"]
    assert not paused(controls, "1")
    controls.apply(TestRecord(b'{"kind":"window"}', key, ((VERSION, b"%d" % (READABLE + 1)),)), START)
    assert paused(controls, "1")


@pytest.mark.parametrize("key", [None, b"", b"cloud:1", b"\xff/account/x"])
def test_a_foreign_key_is_told_and_changes_nothing(key: bytes | None) -> None:
    """One record of somebody else would end the messenger, or be obeyed."""
    controls = Controls(KNOWN)
    with pytest.raises(ValueError):
        controls.apply(TestRecord(b"{}", key), START)
    assert controls.pauses == {}


def test_a_control_of_nobody_is_kept_and_concerns_nobody() -> None:
    """A tenant that was removed from the file would end the messengers."""
    controls = Controls(KNOWN)
    assert apply(controls, pause("404"), pause(tenant="gone"), limit("404", 5)) == []
    assert controls.pauses == {}


@dataclass
class Step:
    """Time passes, then a decision is made."""

    after: float
    control: OperatorControl


ENDS = st.none() | st.integers(1, 100)
STEPS = st.lists(
    st.builds(
        Step,
        st.floats(0, 20),
        st.one_of(
            st.builds(
                lambda name, active, end: pause(name, OWNERS[name], active=active, until=end and at(end)),
                st.sampled_from(sorted(OWNERS)),
                st.booleans(),
                ENDS,
            ),
            st.builds(
                lambda name, active, end: pause(tenant=name, active=active, until=end and at(end)),
                st.sampled_from(["acme", "globex"]),
                st.booleans(),
                ENDS,
            ),
            st.builds(
                lambda name, rate, end: limit(name, rate, OWNERS[name], until=end and at(end)),
                st.sampled_from(sorted(OWNERS)),
                st.none() | st.sampled_from([1.0, 200.0]),
                ENDS,
            ),
        ),
    ),
    max_size=20,
)


def _expected(decided: list[OperatorControl], name: str, now: float) -> tuple[bool, float]:
    """Return if an account is paused, and its rate: the last decision of each kind and target counts."""
    last = {control.key: control for control in decided}
    active = {key for key, control in last.items() if control.is_active(now)}
    own = limit_key(f"cloud:{name}")
    rate = last[own].messages_per_second if own in active else None
    return bool(active & {pause_key(f"cloud:{name}"), tenant_pause_key(OWNERS[name])}), rate or RATE


@given(STEPS)
def test_the_last_decision_of_each_target_is_in_force_until_it_ends(steps: list[Step]) -> None:
    """A number would be paused or not by the order in which colleagues decide and ends come, or by a restart."""
    controls, decided, seconds = Controls(KNOWN), list[OperatorControl](), 0.0
    for step in steps:
        seconds += step.after
        controls.end_due(START + seconds)
        decided.append(step.control)
        apply(controls, step.control, seconds=seconds)
        compacted, last = Controls(KNOWN), {control.key: control for control in decided}
        apply(compacted, *last.values(), seconds=seconds)
        for name in OWNERS:
            expected = _expected(decided, name, START + seconds)
            assert (paused(controls, name, seconds), controls.rate(account(name))) == expected
            assert (paused(compacted, name, seconds), compacted.rate(account(name))) == expected, "after a restart"
