"""The benchmark of parked records: its bounds, its table and its sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import rocksdict

from bench.parked import benchmark, sizes
from bench.parked.benchmark import MAX_MIB, MAX_START, Phase
from bench.parked.messenger import Seen
from bench.parked.rows import count_records
from pipeline.errors import PipelineError
from pipeline.runtime.parking.rows import queue_key, record_key

FIGURES = {"topic": 1 << 20, "changelog": 2 << 20, "rocksdb": 3 << 20}


def _phases(*, peak: float = 100.0, sent: float = 2.0, late: float = 1_000.0) -> list[Phase]:
    return [
        Phase("parks them", 50.0, 50.0, 1_000, Seen([(0.0, 90.0), (1.0, peak)])),
        Phase("killed, with its volume", 1.5, sent, 0, Seen([(0.0, 90.0)], {"/parked": 0.25})),
        Phase("killed, without it", 900.0, late, 1_000, Seen([(0.0, 90.0)])),
    ]


def test_a_run_that_keeps_its_bounds_is_good() -> None:
    """A recovery without a volume has no bound: it is stated, and a run that fails for it would never be published."""
    assert benchmark.problems(_phases()) == []


def test_memory_and_start_are_bounded() -> None:
    """A worker that grows with what is parked would be killed for it, and one that starts late silences the others."""
    (memory,) = benchmark.problems(_phases(peak=MAX_MIB + 1))
    assert memory == f"parks them: {MAX_MIB + 1:.0f} MiB, of {MAX_MIB:.0f}"
    (start,) = benchmark.problems(_phases(sent=MAX_START + 1))
    assert start.startswith("killed, with its volume: 31.0 s")


def test_the_table_has_rates_of_those_that_handled_records() -> None:
    """A million records per second of a worker that read none of them would be published."""
    table = benchmark.table(1_000, FIGURES, _phases())
    assert [row[3] for row in table.rows] == ["20", "", "1"]
    assert table.rows[1][5] == "0.25"
    assert table.notes[-1] == "On the disk: topic 1 MiB, changelog 2 MiB, rocksdb 3 MiB."


def test_a_disk_that_is_too_small_is_said_first(tmp_path: Path) -> None:
    """Half an hour later the broker would die of a full disk, with everything else on the machine."""
    benchmark.require_disk(tmp_path, 1)
    with pytest.raises(PipelineError, match="Set TMPDIR, or give fewer --records"):
        benchmark.require_disk(tmp_path, 1 << 50)


def test_files_of_the_topic_and_the_table_are_counted_and_no_others(tmp_path: Path) -> None:
    """The bytes of another topic, whose name begins alike, would be stated as those of the changelog."""
    for name in ("data/parked-0/1.log", "data/parked-0/1.index", "data/parked-more-0/1.log", "t/parked-3.db/1.sst"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 4096)
    assert sizes.topic_bytes(tmp_path, "parked") == 4096
    assert sizes.table_bytes(tmp_path, "parked") == 4096


def test_records_are_counted_in_the_table_itself(tmp_path: Path) -> None:
    """A worker that lost rows and kept its count of them would pass."""
    for partition, offsets in ((0, (1, 2)), (3, (5,))):
        table = rocksdict.Rdict(str(tmp_path / f"parked-{partition}.db"), rocksdict.Options(raw_mode=True))
        for offset in offsets:
            table[record_key(b"d" * 16, offset)] = b"row"
        table[queue_key(b"d" * 16)] = b"row"
        table[b"\xff"] = b"of another kind"
        table.close()
    assert count_records(tmp_path) == 3
