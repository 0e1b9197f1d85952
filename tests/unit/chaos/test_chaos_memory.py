"""The memory of a run's processes: looked at, and the most of it kept."""

from __future__ import annotations

import os

from chaos.memory import Memory, resident


def test_the_most_of_each_service_is_kept() -> None:
    """A backlog that grows into a worker's memory would not be seen until a machine kills it."""
    memory = Memory()
    memory.look([("this", os.getpid())])
    (grown,) = memory.grown().values()
    assert grown.minutes == [grown.peak]
    assert 5 < grown.peak < 5_000


def test_a_process_that_has_just_been_killed_is_no_error() -> None:
    """The harness would end in the middle of a run, by the very kill that it made."""
    assert resident(2**22 + 1) == 0.0
