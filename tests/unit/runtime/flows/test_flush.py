"""What the records of a batch have in common goes out with the batch, once."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.runtime import Stage, StageContext
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.records import ConsumedRecord, Record


class Counts:
    """Counts the records of a batch. Those in `fails` are failures at first."""

    def __init__(self, *fails: bytes) -> None:
        self._fails = list(fails)
        self._count = 0

    def stage(self) -> Stage:
        return Stage("count", self._add, self._take)

    def _add(self, record: ConsumedRecord, _: StageContext) -> Iterable[Record]:
        if record.value in self._fails:
            self._fails.remove(record.value)
            raise ValueError
        self._count += 1
        return (Record("out", b"key", record.value or b""),)

    def _take(self) -> Iterable[Record]:
        count, self._count = self._count, 0
        return (Record("counts", b"key", b"%d" % count),) if count else ()


def _counted(published: list[Record]) -> list[bytes]:
    return [record.value for record in published if record.topic == "counts"]


def test_a_batch_has_one_record_behind_its_outputs() -> None:
    """Each record would have one, or the last batch of a quiet hour none."""
    driver = TopologyTestDriver(Counts().stage())
    published = driver.pipe(*(TestRecord(b"%d" % number) for number in range(5)))
    assert [record.topic for record in published] == ["out"] * 5 + ["counts"]
    assert _counted(published) == [b"5"]
    assert _counted(driver.pipe(TestRecord(b"5"))) == [b"1"]


def test_what_is_tried_again_is_counted_when_it_succeeds() -> None:
    """What a retried record adds would wait for the next batch, and be lost if there is none."""
    driver = TopologyTestDriver(Counts(b"b").stage())
    published = driver.pipe(TestRecord(b"a", b"1"), TestRecord(b"b", b"2"), TestRecord(b"c", b"3"))
    assert sum(map(int, _counted(published))) == 3
    assert not driver.dead_letters
