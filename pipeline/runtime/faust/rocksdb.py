"""Faust's RocksDB tables, without the loss of every row after a restart.

A store with a time-to-live drops old rows during compaction: a filter reads each row's age from the four bytes after
its value. rocksdict loads the options of an existing store from its files, which contain that filter already, and adds
another one at every opening. The inner filter gets values without those bytes and reads the end of a row's own text as
its age, so the first compaction after a restart drops every row, and events are handled a second time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faust
import rocksdict
from faust.stores.rocksdb import RocksDBOptions


class GivenOptions(RocksDBOptions):
    """RocksDB options that are used as given. The options in the files of an existing store are ignored."""

    def open(self, path: Path, *, read_only: bool = False) -> rocksdict.Rdict:
        options = self.as_options()
        access = rocksdict.AccessType.read_write() if self.ttl is None else rocksdict.AccessType.with_ttl(self.ttl)
        store = rocksdict.Rdict(str(path), options=options, column_families={"default": options}, access_type=access)
        store.set_read_options(rocksdict.ReadOptions())
        return store


class Table(faust.Table[Any, Any]):
    """Faust's table with stores that are opened with `GivenOptions`."""

    def _new_store(self) -> Any:
        store: Any = super()._new_store()
        store.rocksdb_options = GivenOptions(**(self.options or {}), use_rocksdict=True)
        return store
