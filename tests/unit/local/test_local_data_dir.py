"""The data directory: held by one stack, emptied of nothing but its data."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.local import data_dir
from pipeline.local.data_dir import announce, announced, claimed
from pipeline.local.logs import LogFile
from pipeline.local.ports import Ports
from pipeline.local.redis import RedisServer
from pipeline.local.services import services
from pipeline.state.json_files import JsonStore


def test_it_is_made_and_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first `pipeline up` would ask for a directory, and a child elsewhere would look for another one."""
    monkeypatch.chdir(tmp_path)
    with data_dir.claimed(Path("deep/er")) as path:
        assert path == tmp_path / "deep" / "er"
        assert path.is_dir()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """Messages and phone numbers would lie open to every user of the machine."""
    old = os.umask(0o022)
    try:
        with claimed(tmp_path / "deep" / "er") as path:
            announce(path, {"PIPELINE_KAFKA": "127.0.0.1:1"})
            RedisServer(path / "redis", 1).prepare()
            LogFile(path / "logs" / "kafka.log").begin()
            asyncio.run(JsonStore(path / "cache").ping())
    finally:
        os.umask(old)
    assert mode(tmp_path / "deep") == 0o700
    assert {each.name: mode(each) for each in path.iterdir() if each.is_dir()} == dict.fromkeys(
        ("redis", "logs", "cache"), 0o700
    )
    assert mode(path / "stack.env") == 0o600


def test_one_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    """The data of an installation from before would stay open after the upgrade."""
    (tmp_path / "kafka").mkdir()
    (tmp_path / "stack.env").write_text("")
    tmp_path.chmod(0o755)
    with claimed(tmp_path) as path:
        announce(path, {})
    assert mode(tmp_path) == 0o700
    assert mode(tmp_path / "stack.env") == 0o600


def test_a_directory_with_somebody_elses_files_keeps_its_mode(tmp_path: Path) -> None:
    """`--data-dir /tmp` would lock everybody out of it."""
    (tmp_path / "thesis.txt").write_text("years of work")
    tmp_path.chmod(0o755)
    with claimed(tmp_path):
        pass
    assert mode(tmp_path) == 0o755


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_one_stack_at_a_time(tmp_path: Path) -> None:
    """Two brokers would write into one directory and destroy it."""
    refused = pytest.raises(UsageError, match="another `pipeline up`")
    with data_dir.claimed(tmp_path), refused as caught, data_dir.claimed(tmp_path):
        pass
    assert "\n" not in str(caught.value)
    with data_dir.claimed(tmp_path):
        """Free again."""


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    """A traceback instead of the one line that names the directory."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--data-dir"), data_dir.claimed(tmp_path / "file" / "data"):
        pass


def test_fresh_deletes_the_stacks_data(tmp_path: Path) -> None:
    """A stack that is to begin anew would continue with old records."""
    for name in data_dir.OWN_PATTERNS - {"up.lock", "stack.env", "mask.key"}:
        (tmp_path / name / "inside").mkdir(parents=True)
    with data_dir.claimed(tmp_path) as path:
        announce(path, {"PIPELINE_KAFKA": "127.0.0.1:9092"})
        data_dir.empty(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["up.lock"]


def test_nothing_that_a_stack_leaves_is_foreign(tmp_path: Path) -> None:
    """Who ran a stack once could not begin anew, and an open directory of an older version stayed open."""
    tmp_path.chmod(0o755)
    (tmp_path / "mask.key.4711").write_bytes(b"half")
    for service in services(Ports.starting_at(27000), tmp_path, {"PIPELINE_TENANTS": "examples/tenants.yaml"}):
        if service.progress is not None:
            service.progress.touch()
    assert list(tmp_path.glob("*.progress"))
    with data_dir.claimed(tmp_path) as path:
        assert path.stat().st_mode & 0o077 == 0
        data_dir.empty(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["up.lock"]


def test_fresh_refuses_foreign_content(tmp_path: Path) -> None:
    """`--fresh --data-dir ~` would delete what a person has there."""
    (tmp_path / "kafka").mkdir()
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        data_dir.empty(tmp_path)
    assert (tmp_path / "kafka").is_dir()
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_fresh_does_not_follow_links(tmp_path: Path) -> None:
    """A link named like ours would lead the deletion out of the directory."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "kafka").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="kafka"):
        data_dir.empty(tmp_path / "data")
    assert (tmp_path / "elsewhere" / "precious").exists()


def test_a_running_stack_leaves_word_and_a_stopped_one_does_not(tmp_path: Path) -> None:
    """Without it, `pipeline doctor` beside a running stack would look at other ports, or after it at a dead one."""
    with claimed(tmp_path) as path:
        announce(path, {"PIPELINE_KAFKA": "127.0.0.1:1"})
        assert announced(path) == {"PIPELINE_KAFKA": "127.0.0.1:1"}
    assert announced(tmp_path) == {}
    assert announced(tmp_path / "nothing") == {}
