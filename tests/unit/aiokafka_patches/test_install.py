"""aiokafka is patched by a call, once, and never by an import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import aiokafka
import pytest
from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher

from pipeline import aiokafka_patches
from pipeline.aiokafka_patches.connection import READ_AHEAD
from pipeline.aiokafka_patches.header_names import RereadableRecords

ROOT = Path(__file__).parents[3]
IMPORT_EVERYTHING = """
import pkgutil
from importlib import import_module
from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher

def state():
    return conn.READER_LIMIT, AIOKafkaConnection.send, AIOKafkaConnection._send_sasl_token, fetcher.MemoryRecords

import pipeline
before, names = state(), [found.name for found in pkgutil.walk_packages(pipeline.__path__, "pipeline.")]
for name in names:
    if not name.endswith("__main__"):
        import_module(name)
        assert state() == before, name
print(len(names))
"""


def test_no_import_patches_aiokafka() -> None:
    """A program that imports one name of ours would have another Kafka client than it asked for."""
    argv = [sys.executable, "-c", IMPORT_EVERYTHING]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) > 200


def test_a_second_call_changes_nothing() -> None:
    """Each client that is made would put another wrapper around every write."""
    aiokafka_patches.install()
    first = AIOKafkaConnection.send, AIOKafkaConnection._send_sasl_token
    aiokafka_patches.install()
    assert (AIOKafkaConnection.send, AIOKafkaConnection._send_sasl_token) == first
    assert (conn.READER_LIMIT, fetcher.MemoryRecords) == (READ_AHEAD, RereadableRecords)


def test_whoever_makes_a_client_installs_the_patches() -> None:
    """A tool would read no record with a header name that is not UTF-8, or hang at the death of a broker."""
    makes = re.compile(r"= AIOKafka(?:Consumer|Producer|AdminClient)\(|with AIOKafkaProducer\(|\(AIOKafkaProducer\):")
    files = [path for name in ("pipeline", "agents", "chaos") for path in (ROOT / name).rglob("*.py")]
    making = {path: path.read_text() for path in files if makes.search(path.read_text())}
    assert len(making) >= 8
    assert [path for path, text in making.items() if "aiokafka_patches.install()" not in text] == []


def test_another_version_of_aiokafka_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The patches would be put over code that nobody has read."""
    monkeypatch.setattr(aiokafka, "__version__", "0.15.0")
    with pytest.raises(RuntimeError, match=r"patches aiokafka 0\.14\.0, but 0\.15\.0 is installed"):
        aiokafka_patches.install.__wrapped__()
