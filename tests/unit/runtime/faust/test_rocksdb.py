"""Rows outlive restarts and compactions for as long as they were promised to, and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faust.stores.rocksdb import RocksDBOptions

from pipeline.runtime import PipelineApp
from pipeline.runtime.faust.rocksdb import GivenOptions
from pipeline.runtime.tables.store import ROCKSDB
from pipeline.settings import Settings

DAY = 86_400
LIVES = 3
ROWS = 50


def left(path: Path, options: Callable[[], RocksDBOptions], pause: float = 0.0) -> int:
    """How many rows are there after a few lives of a worker and a compaction, `pause` seconds later."""
    for life in range(LIVES):
        store = options().open(path)
        for row in range(ROWS):
            store[b"%d-%d" % (life, row)] = b"a row's text"
        store.close()
    time.sleep(pause)
    store = options().open(path)
    store.compact_range(None, None)
    found = len(list(store.keys()))
    store.close()
    return found


def test_rows_outlive_restarts_and_a_compaction_which_stock_faust_loses_them_in(tmp_path: Path) -> None:
    """What was seen and what was sent would be forgotten after a few restarts: webhooks twice, messages twice."""
    assert left(tmp_path / "stock", lambda: RocksDBOptions(ttl=DAY, use_rocksdict=True)) == 0
    assert left(tmp_path / "ours", lambda: GivenOptions(ttl=DAY, use_rocksdict=True, **ROCKSDB)) == LIVES * ROWS


def test_rows_past_their_time_are_dropped(tmp_path: Path) -> None:
    """A table would grow until the volume is full."""
    assert left(tmp_path / "old", lambda: GivenOptions(ttl=1, use_rocksdict=True), pause=2.5) == 0


def test_a_table_of_an_app_is_on_such_a_store(tmp_path: Path) -> None:
    """The stores would be safe and nobody would use them."""
    app = PipelineApp("rows", Settings(data_dir=tmp_path))
    app.table("seen", ttl=DAY)
    table: Any = app.tables["seen"]
    options = table.data.rocksdb_options
    assert type(options) is GivenOptions
    assert (options.ttl, options.write_buffer_size) == (DAY, ROCKSDB["write_buffer_size"])
