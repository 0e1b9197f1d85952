"""The note of a worker that was fenced, which its next process reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runtime.faust.membership import FENCED_AGAIN, FencedNote


def test_two_times_within_a_minute_are_told_and_one_or_two_far_apart_are_not(tmp_path: Path) -> None:
    """A worker would stay down after a rollout that overlapped once, or two would go on evicting each other."""
    note = FencedNote(tmp_path / "running" / "intake-0.fenced")
    assert not note.again
    note.add(1_000.0)
    assert not FencedNote(tmp_path / "running" / "intake-0.fenced").again
    note.add(1_000.0 + FENCED_AGAIN)
    assert not note.again
    note.add(1_001.0 + FENCED_AGAIN)
    assert FencedNote(tmp_path / "running" / "intake-0.fenced").again
    note.clear()
    assert not note.again
    note.clear()


@pytest.mark.parametrize("torn", [b"", b"[1,", b'"x"', b'["x", null]', b"{}"])
def test_a_torn_note_says_nothing(tmp_path: Path, torn: bytes) -> None:
    """A worker would not start again because its machine died while it wrote."""
    file = tmp_path / "intake-0.fenced"
    file.write_bytes(torn)
    assert not FencedNote(file).again
    FencedNote(file).add(1.0)
    FencedNote(file).add(2.0)
    assert FencedNote(file).again


def test_a_worker_without_an_instance_id_keeps_no_note() -> None:
    """It would write into a place that nobody named."""
    note = FencedNote(None)
    note.add()
    note.clear()
    assert not note.again
