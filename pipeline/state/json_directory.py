"""A tenant's rows as JSON files, several of which can change in one step.

`acme/state/15550001111/order.json` is the row `{acme}:state:15550001111:order`. A file is written beside its place and
then moved there, so nobody ever reads half of one. If one step writes several files, their new contents are written
first, as `.pending`. A process that finds `.pending` when it gets the lock applies it again, because its writer died.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import orjson

from pipeline.errors import BackendUnavailable
from pipeline.private_files import make_private_dir
from pipeline.state.encoding import Fields

HOUR: Final = 3600
_PENDING: Final = ".pending"
_LOCK: Final = ".lock"
_EXPIRING: Final = ".expiring"
_MAX_NAME_LENGTH: Final = 150
"""Maximum length of the key in a file name, in characters; file systems allow 255 bytes with the ending."""


class StoredRow(NamedTuple):
    """A row in a file. `expires_at` is in seconds of the epoch; None for a row that never expires."""

    fields: Fields
    expires_at: float | None


class JsonDirectory:
    """One tenant's files. Call everything but `locked` under the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self, lock_timeout: float) -> Iterator[None]:
        """Lock the directory against all other readers and writers, of this process and others.

        Raises `Unavailable` after `lock_timeout` seconds: the holder of the lock is stopped.
        """
        make_private_dir(self.path)
        lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(lock, lock_timeout)
            self._complete_pending()
            yield
        finally:
            os.close(lock)

    def read(self, name: str) -> StoredRow | None:
        """Return a row; None if there is none. Raises `Unavailable` for a damaged file."""
        file = self.file(name)
        try:
            return _deserialize(orjson.loads(file.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BackendUnavailable(f"the cache file {file} is not as it was written: mend it or remove it") from None

    def write(self, rows: Mapping[str, StoredRow | None]) -> None:
        """Write rows, and delete those that are None: all of them, or none if the process dies."""
        stored = {name: _serialize(name, row) for name, row in rows.items()}
        self._record_expiry(rows)
        if len(rows) > 1:
            _replace_file(self.path / _PENDING, orjson.dumps(stored))
        self._apply(stored)

    def names(self, *parts: str) -> list[str]:
        """Return the names of all rows below a path (a kind, or kind and owner), sorted."""
        files = self.path.joinpath(*map(_file_name, parts)).rglob("*.json")
        return sorted(orjson.loads(file.read_bytes())["name"] for file in files)

    def sweep(self, now: float) -> None:
        """Delete the rows that expired in past hours."""
        for hour in self._expiring().glob("*"):
            if (int(hour.name) + 1) * HOUR <= now:
                self._expire(hour, now)

    def file(self, name: str) -> Path:
        """Return the path of a row. Different names have different files, also on file systems that ignore case."""
        _, *parts = name.split(":", 3)
        *folders, last = map(_file_name, parts)
        return self.path.joinpath(*folders, f"{last}.json")

    def _acquire(self, lock: int, lock_timeout: float) -> None:
        until, pause = time.monotonic() + lock_timeout, 0.0002
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise BackendUnavailable(f"another process holds the cache files in {self.path}") from None
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)

    def _complete_pending(self) -> None:
        pending = self.path / _PENDING
        if pending.exists():
            self._apply(orjson.loads(pending.read_bytes()))

    def _apply(self, stored: Mapping[str, Any]) -> None:
        for name, row in stored.items():
            file = self.file(name)
            if row is None:
                file.unlink(missing_ok=True)
            else:
                _replace_file(file, orjson.dumps(row, option=orjson.OPT_INDENT_2))
        (self.path / _PENDING).unlink(missing_ok=True)

    def _record_expiry(self, rows: Mapping[str, StoredRow | None]) -> None:
        """Record by the hour which rows expire, so that a sweep need not read all files."""
        for name, row in rows.items():
            if row and row.expires_at is not None:
                hours = self._expiring()
                hours.mkdir(exist_ok=True)
                with (hours / str(int(row.expires_at // HOUR))).open("ab") as noted:
                    noted.write(orjson.dumps(name) + b"\n")

    def _expire(self, hour: Path, now: float) -> None:
        for line in hour.read_bytes().splitlines():
            name = orjson.loads(line)
            row = self.read(name)
            if row and row.expires_at is not None and row.expires_at <= now:
                self.file(name).unlink()
        hour.unlink()

    def _expiring(self) -> Path:
        return self.path / _EXPIRING


def directory_name(name: str) -> str:
    """Return the directory of the tenant that owns the row `name`."""
    return _file_name(name.split(":", 1)[0].strip("{}"))


def _file_name(text: str) -> str:
    plain = quote(text, safe="")
    if plain and plain == plain.lower() and len(plain) <= _MAX_NAME_LENGTH and not plain.startswith("."):
        return plain
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return f"{plain[:_MAX_NAME_LENGTH].lstrip('.')}={digest}"


def _replace_file(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.new")
    beside.write_bytes(content)
    beside.replace(file)


def _serialize(name: str, row: StoredRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    fields = {field: orjson.loads(value) for field, value in row.fields.items()}
    return {"name": name, "expires_at": row.expires_at, "fields": fields}


def _deserialize(stored: dict[str, Any]) -> StoredRow:
    return StoredRow({field: orjson.dumps(value) for field, value in stored["fields"].items()}, stored["expires_at"])
