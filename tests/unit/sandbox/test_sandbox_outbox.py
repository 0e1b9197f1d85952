"""The pace of the sandbox's outbox. What it delivers is tested over HTTP."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.status_queue import backoff


@given(st.integers(1, 100_000))
def test_attempts_keep_coming_and_never_in_a_rush(attempts: int) -> None:
    """An ingress that comes back would wait for its statuses for minutes, or be knocked over by them."""
    assert 0.05 <= backoff(attempts) <= 5
