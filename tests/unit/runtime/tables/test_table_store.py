"""A table's rows: written where we are alone, and nothing done where we are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import WriterFenced
from pipeline.runtime import PipelineApp
from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.settings import Settings


def test_a_row_behind_another_workers_ends_the_process_before_anything_rests_on_it(tmp_path: Path) -> None:
    """A messenger that was frozen would go on, note what it is about to send, and send what was sent meanwhile."""
    app = PipelineApp("store", Settings(data_dir=tmp_path, partitions=1))
    app.table("sent", ttl=3600)
    store = app.stage_tables["sent"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(app), "consumer_generation_id", 1, raising=False)
        store.apply([("sent", 0, b"a", b"1")], {0: OffsetRange(0, 0, 1)})
        with pytest.raises(WriterFenced, match="another worker writes to store-sent-changelog/0"):
            store.apply([("sent", 0, b"b", b"2")], {0: OffsetRange(2, 2, 1)})
    rows: Any = store.partition(0)
    assert (rows.get(b"a"), rows.get(b"b")) == (b"1", None)
