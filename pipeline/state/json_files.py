"""The store that needs no server: JSON files, for a few processes on one machine."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import orjson

from pipeline.errors import BackendUnavailable
from pipeline.private_files import make_private_dir
from pipeline.state.change import RowChange
from pipeline.state.encoding import Fields
from pipeline.state.json_directory import JsonDirectory, StoredRow, directory_name
from pipeline.state.keys import groups
from pipeline.state.rows import MISSING, NO_EXPIRY
from pipeline.state.store import Applied, Committed, Store, UnitRecord, applied

T = TypeVar("T")

_RECORD: Final = "record"


class JsonStore(Store):
    """Rows in files, a directory per tenant. Processes of one machine may share the directory.

    Every step takes the tenant's lock, so nothing is lost between processes, and writes whole files, so a process that
    is
    killed leaves no half file. Only the operating system decides when files reach the disk: a power cut may lose the
    last
    seconds.

    Args:
        directory: the parent of the tenants' directories.
        lock_timeout: seconds to wait for another process' lock.
        clock: seconds of the epoch, the same for all processes.
    """

    def __init__(self, directory: Path, *, lock_timeout: float = 5.0, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._patience = lock_timeout
        self._clock = clock
        self._swept: dict[str, float] = {}
        self._thread = ThreadPoolExecutor(1, "cache files")

    async def row(self, key: str) -> Fields | None:
        """Return all fields of the row; None if there is no row."""
        found = await self._row(key)
        return found.fields if found else None

    async def field(self, key: str, name: str) -> bytes | None:
        """Return one field; None if there is none."""
        return (await self.row(key) or {}).get(name)

    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""
        return await self._row(key) is not None

    async def ttl(self, key: str) -> int:
        """Return the seconds left; `NO_EXPIRY` for a row that never expires, `MISSING` if there is none."""
        found = await self._row(key)
        if found is None:
            return MISSING
        return NO_EXPIRY if found.expires_at is None else math.floor(found.expires_at - self._clock() + 0.5)

    async def recorded(self, key: str) -> bytes | None:
        """Return the content of the `UnitRecord` under `key`; None if there is none."""
        found = await self._row(key)
        return _content(found) if found else None

    async def keys(self, group: str) -> list[str]:
        """Return the names of a group's rows, sorted."""
        return await self._locked(group, lambda folder: self._members(folder, group))

    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        """Apply all changes and store the record in one step, as `Store.commit` says."""
        if not changes and record is None:
            return Committed(())
        name = record.key if record else changes[0].key
        return await self._locked(name, lambda folder: self._commit(folder, changes, record))

    async def ping(self) -> None:
        """Return when the directory can be written."""
        await self._in_thread(lambda: make_private_dir(self._directory))

    async def close(self) -> None:
        """Stop the thread that reads and writes."""
        self._thread.shutdown(wait=False)

    async def _row(self, key: str) -> StoredRow | None:
        return await self._locked(key, lambda folder: self._live(folder, key))

    def _commit(self, folder: JsonDirectory, changes: Sequence[RowChange], record: UnitRecord | None) -> Committed:
        if record and (found := self._live(folder, record.key)) and _content(found) != record.replaces:
            return Committed((), _content(found))
        befores = [self._live(folder, change.key) for change in changes]
        afters = [self._after(change, before) for change, before in zip(changes, befores, strict=True)]
        rows = {change.key: row for change, row in zip(changes, afters, strict=True)}
        folder.write(rows | self._recording(record))
        return Committed([_applied(*each) for each in zip(changes, befores, afters, strict=True)])

    def _recording(self, record: UnitRecord | None) -> dict[str, StoredRow]:
        if record is None:
            return {}
        content = orjson.dumps(record.content.decode())
        return {record.key: StoredRow({_RECORD: content}, self._clock() + record.ttl)}

    def _after(self, change: RowChange, before: StoredRow | None) -> StoredRow | None:
        fields = change.apply_to(before.fields if before else None)
        return None if fields is None else StoredRow(fields, self._expiry(change, before))

    def _expiry(self, change: RowChange, before: StoredRow | None) -> float | None:
        if change.ttl is not None:
            return self._clock() + change.ttl
        return None if change.remove or before is None else before.expires_at

    def _members(self, folder: JsonDirectory, group: str) -> list[str]:
        _, _, *way = group.split(":", 3)
        return [name for name in folder.names(*way) if group in groups(name) and self._live(folder, name)]

    def _live(self, folder: JsonDirectory, name: str) -> StoredRow | None:
        found = folder.read(name)
        expired = found and found.expires_at is not None and found.expires_at <= self._clock()
        return None if expired else found

    async def _locked(self, name: str, work: Callable[[JsonDirectory], T]) -> T:
        """Return the result of `work`, which runs under the tenant's lock."""
        return await self._in_thread(lambda: self._in_folder(directory_name(name), work))

    def _in_folder(self, tenant: str, work: Callable[[JsonDirectory], T]) -> T:
        folder = JsonDirectory(self._directory / tenant)
        with folder.locked(self._patience):
            self._sweep(folder, tenant)
            return work(folder)

    def _sweep(self, folder: JsonDirectory, tenant: str) -> None:
        """Sweep once a minute. Expired rows are not visible before either, so there is no hurry."""
        now = self._clock()
        if now >= self._swept.get(tenant, 0) + 60:
            self._swept[tenant] = now
            folder.sweep(now)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        with _unavailable(self._directory):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@contextmanager
def _unavailable(directory: Path) -> Iterator[None]:
    """Raise `Unavailable` for an error of the disk: it may come back, and the event waits for it."""
    try:
        yield
    except OSError as error:
        raise BackendUnavailable(f"the cache files in {directory} can't be used ({error.strerror})") from error


def _applied(change: RowChange, before: StoredRow | None, after: StoredRow | None) -> Applied:
    return applied(change, before.fields if before else None, after.fields if after else None)


def _content(found: StoredRow) -> bytes:
    text: str = orjson.loads(found.fields[_RECORD])
    return text.encode()
