"""Logs of the children: kept, bounded, followed."""

from __future__ import annotations

from pathlib import Path

from pipeline.local.logs import LogFile
from pipeline.local.process import last_lines


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a_run_begins_with_an_empty_log_and_keeps_the_one_before(tmp_path: Path) -> None:
    """Yesterday's errors would be read as today's, or be gone when somebody asks for them."""
    log = LogFile(tmp_path / "logs" / "a.log")
    log.begin()
    append(log.path, "yesterday\n")
    log.begin()
    assert not log.path.exists()
    assert (tmp_path / "logs" / "a.log.1").read_text() == "yesterday\n"


def test_only_whole_lines_are_shown_and_each_once(tmp_path: Path) -> None:
    """--verbose would show halves of lines, or lines twice."""
    log = LogFile(tmp_path / "a.log")
    assert log.new_lines() == []
    append(log.path, "one\ntw")
    assert log.new_lines() == ["one"]
    append(log.path, "o\n")
    assert log.new_lines() == ["two"]
    assert log.new_lines() == []


def test_a_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    """A week of `pipeline up` would fill the disk."""
    log = LogFile(tmp_path / "a.log", limit=10)
    with log.path.open("ab", buffering=0) as writer:
        writer.write(b"0123456789ab\n")
        log.trim()
        writer.write(b"next\n")
    assert log.path.read_bytes() == b"next\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"0123456789ab\n"
    assert log.new_lines() == ["next"]


def test_the_last_lines_of_a_life(tmp_path: Path) -> None:
    """A death would be explained with the words of the life before it."""
    path = tmp_path / "a.log"
    assert last_lines(path, 3) == []
    append(path, "old\n")
    since = path.stat().st_size
    append(path, "".join(f"{number}\n" for number in range(5)))
    assert last_lines(path, 3) == ["2", "3", "4"]
    assert last_lines(path, 30, since)[0] == "0"
    assert last_lines(path, 30, since=10_000)[0] == "old"
