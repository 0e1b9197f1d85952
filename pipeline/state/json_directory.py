"""A tenant's rows as JSON files, and how several of them change in one step.

`acme/state/15550001111/order.json` is the row `{acme}:state:15550001111:order`. A file is written beside its
place and then moved there, so nobody ever reads half of one. Where one step writes several, what they shall be is
written first, as `.pending`: whoever finds that when they get the lock, because its writer died, does it again.
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

from pipeline.errors import Unavailable
from pipeline.private_files import make_private_dir
from pipeline.state.encoding import Fields

HOUR: Final = 3600
_PENDING: Final = ".pending"
_LOCK: Final = ".lock"
_EXPIRING: Final = ".expiring"
_LONGEST: Final = 150
"""Characters of a key that a file name shows; file systems take 255 bytes, and the ending needs some."""


class StoredRow(NamedTuple):
    """`expires_at` in seconds of the epoch; None for a row that stays."""

    fields: Fields
    expires_at: float | None


class JsonDirectory:
    """One tenant's files. Everything but `locked` is to be called under the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self, lock_timeout: float) -> Iterator[None]:
        """Nobody else, in this process or another, reads or writes meanwhile.

        Raises `Unavailable` when `lock_timeout` (seconds) is over: somebody holds the lock and is stopped.
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
        file = self.file(name)
        try:
            return _deserialize(orjson.loads(file.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unavailable(f"the cache file {file} is not as it was written: mend it or remove it") from None

    def write(self, rows: Mapping[str, StoredRow | None]) -> None:
        """Makes rows what they are given as, None for none: all of them or, whatever dies, none."""
        told = {name: _serialize(name, row) for name, row in rows.items()}
        self._record_expiry(rows)
        if len(rows) > 1:
            _replace_file(self.path / _PENDING, orjson.dumps(told))
        self._apply(told)

    def names(self, *parts: str) -> list[str]:
        """The names of all rows under this way (a kind, or kind and owner), sorted."""
        files = self.path.joinpath(*map(_file_name, parts)).rglob("*.json")
        return sorted(orjson.loads(file.read_bytes())["name"] for file in files)

    def sweep(self, now: float) -> None:
        """Removes what has expired in hours gone by."""
        for hour in self._expiring().glob("*"):
            if (int(hour.name) + 1) * HOUR <= now:
                self._expire(hour, now)

    def file(self, name: str) -> Path:
        """Where a row is. Different names have different files, also where the file system ignores case."""
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
                    raise Unavailable(f"another process holds the cache files in {self.path}") from None
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)

    def _complete_pending(self) -> None:
        pending = self.path / _PENDING
        if pending.exists():
            self._apply(orjson.loads(pending.read_bytes()))

    def _apply(self, told: Mapping[str, Any]) -> None:
        for name, row in told.items():
            file = self.file(name)
            if row is None:
                file.unlink(missing_ok=True)
            else:
                _replace_file(file, orjson.dumps(row, option=orjson.OPT_INDENT_2))
        (self.path / _PENDING).unlink(missing_ok=True)

    def _record_expiry(self, rows: Mapping[str, StoredRow | None]) -> None:
        """Remembers by the hour what will expire, so that nobody has to look through all files for it."""
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
    """The folder of the tenant whose row `name` is."""
    return _file_name(name.split(":", 1)[0].strip("{}"))


def _file_name(text: str) -> str:
    plain = quote(text, safe="")
    if plain and plain == plain.lower() and len(plain) <= _LONGEST and not plain.startswith("."):
        return plain
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return f"{plain[:_LONGEST].lstrip('.')}={digest}"


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


def _deserialize(told: dict[str, Any]) -> StoredRow:
    return StoredRow({field: orjson.dumps(value) for field, value in told["fields"].items()}, told["expires_at"])
