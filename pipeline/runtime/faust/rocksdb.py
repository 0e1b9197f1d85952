"""RocksDB as Faust has it, closed where it loses every row.

A store with a time-to-live drops old rows when it compacts: a filter reads each row's age from the four bytes behind
its value. rocksdict takes the options of an existing store from its files, where that filter is in already, and puts
another around it at every opening. The inner one gets values without those bytes, takes the end of a row's own text
for its age, and the first compaction after a restart drops every row. What was remembered happens again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faust
import rocksdict
from faust.stores.rocksdb import RocksDBOptions


class Options(RocksDBOptions):
    """Opens a store with the options that it was given, and never with those that are in its files."""

    def open(self, path: Path, *, read_only: bool = False) -> rocksdict.Rdict:
        options = self.as_options()
        access = rocksdict.AccessType.read_write() if self.ttl is None else rocksdict.AccessType.with_ttl(self.ttl)
        store = rocksdict.Rdict(str(path), options=options, column_families={"default": options}, access_type=access)
        store.set_read_options(rocksdict.ReadOptions())
        return store


class Table(faust.Table[Any, Any]):
    """Faust's table, on such stores."""

    def _new_store(self) -> Any:
        store: Any = super()._new_store()
        store.rocksdb_options = Options(**(self.options or {}), use_rocksdict=True)
        return store
