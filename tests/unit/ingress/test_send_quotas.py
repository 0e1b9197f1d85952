"""Quotas of the HTTP API, with the time as an argument."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingress.send_quotas import SendDefaults, SendQuotas
from pipeline.tenants import SendLimits, Tenant

DEFAULTS = SendDefaults(rate=10, burst=20, interactive_rate=2, interactive_burst=5, key_share=1.0)
START = 1_000_000.25


def tenant(name: str = "acme", **limits: Any) -> Tenant:
    return Tenant(id=name, send_limits=SendLimits(**limits))


def admitted(quotas: SendQuotas, who: Tenant, key: str, now: float, *, interactive: bool = False) -> int:
    """How many sends are admitted at once."""
    count = 0
    while quotas.take(who, key, now, interactive=interactive) == 0:
        count += 1
    return count


def test_a_new_process_admits_a_burst_and_then_the_rate() -> None:
    """A shop would be told to wait for its first order of the day, or never be told to."""
    quotas, acme = SendQuotas(DEFAULTS), tenant()
    assert admitted(quotas, acme, "key", START) == 20
    assert admitted(quotas, acme, "key", START + 1) == 10
    assert admitted(quotas, acme, "key", START + 1_000) == 20


def test_interactive_sends_have_a_quota_inside_that_of_all() -> None:
    """A campaign would be sent before the answers, or a shop that is over one quota could send nothing at all."""
    quotas, acme = SendQuotas(DEFAULTS), tenant()
    assert admitted(quotas, acme, "key", START, interactive=True) == 5
    assert quotas.take(acme, "key", START) == 0


def test_tenants_have_quotas_of_their_own() -> None:
    """One tenant's program that runs wild would shut the API for another tenant."""
    quotas = SendQuotas(DEFAULTS)
    admitted(quotas, tenant(), "key", START)
    assert admitted(quotas, tenant("globex"), "other", START) == 20
    assert admitted(quotas, tenant("initech", burst=7), "third", START) == 7


def test_one_key_leaves_a_share_to_the_others() -> None:
    """A shop's orders would be refused because its campaign program runs wild; or two keys would have twice as much."""
    quotas, acme = SendQuotas(DEFAULTS), tenant(key_share=0.5)
    assert admitted(quotas, acme, "campaign", START) == 10
    assert admitted(quotas, acme, "shop", START) == 10
    assert admitted(quotas, acme, "third", START) == 0


@given(
    st.floats(0.01, 500),
    st.floats(1, 100),
    st.floats(0.01, 500),
    st.floats(0.01, 1),
    st.floats(0, 1e9),
    st.booleans(),
)
def test_after_the_seconds_that_it_was_told_one_send_passes(
    rate: float, burst: float, interactive_rate: float, share: float, start: float, interactive: bool
) -> None:
    """A caller that does as it is told would be refused again and again."""
    quotas, acme = SendQuotas(SendDefaults(rate, burst, interactive_rate, burst, share)), tenant()
    admitted(quotas, acme, "key", start)
    admitted(quotas, acme, "key", start, interactive=True)
    later = start + max(1, math.ceil(quotas.take(acme, "key", start, interactive=interactive)))
    assert quotas.take(acme, "key", later) == 0
    assert quotas.take(acme, "key", later, interactive=True) == 0


@pytest.mark.parametrize("share", [1.0, 0.001])
def test_a_wait_is_no_longer_than_it_takes(share: float) -> None:
    """A caller would be sent away for a minute though the next second is free."""
    quotas, acme = SendQuotas(DEFAULTS._replace(key_share=share, interactive_rate=10)), tenant()
    admitted(quotas, acme, "key", START)
    assert quotas.take(acme, "key", START) == pytest.approx(0.1 / share)
