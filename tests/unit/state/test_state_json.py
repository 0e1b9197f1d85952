"""The store of JSON files: the contract, several processes, and what a killed one leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import Unavailable
from pipeline.handlers import HandlerRunner
from pipeline.state import JsonStore, MemoryStore, Store, open_store
from pipeline.state.buffer import BufferedRows
from pipeline.state.change import RowChange
from pipeline.state.json_directory import HOUR, JsonDirectory, StoredRow
from pipeline.state.rows import Rows
from pipeline.state.store import UnitRecord
from tests.support.handler_events import settings as settings_of
from tests.support.handler_events import tenants, text
from tests.support.state_contract import StoreContract
from tests.support.state_contract_caches import CachesContract
from tests.support.state_programs import PROGRAMS, Step, run, state
from tests.support.state_race import between_processes, writes
from tests.support.waiting import HANG


class OnFiles:
    directory: Path

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "cache"


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Store]:
    store = open_store("json", "", directory)
    yield store
    await store.close()


class TestJsonStore(OnFiles, StoreContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Store]:
        async with opened(self.directory) as store:
            yield store


class TestJsonCache(OnFiles, CachesContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Rows]:
        async with opened(self.directory) as store:
            yield store


class TestJsonCacheInAUnit(OnFiles, CachesContract):
    atomic_answers = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Rows]:
        async with opened(self.directory) as store:
            yield BufferedRows(store)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=PROGRAMS, program=PROGRAMS)
def test_files_mean_what_memory_means(tmp_path: Path, before: list[Step], program: list[Step]) -> None:
    """If files meant anything else than memory, a handler would behave otherwise after its first restart."""

    async def body() -> None:
        tag, memory = f"{{test-{uuid4().hex}}}", MemoryStore(lambda: 0.0)
        files = JsonStore(tmp_path, clock=lambda: 0.0)
        assert await run(files, before, tag) == await run(memory, before, tag)
        buffered = BufferedRows(files)
        assert await run(buffered, program, tag) == await run(memory, program, tag)
        await files.commit(buffered.changes)
        assert await state(files, tag) == await state(memory, tag)
        await files.close()

    asyncio.run(body())


def test_a_person_can_read_the_files(tmp_path: Path) -> None:
    """If files were not where their keys say, and readable, nobody could look into a conversation by hand."""

    async def body() -> None:
        async with opened(tmp_path) as store:
            await store.replace("{acme}:state:15550001111:order", {"step": b'"menu"'}, None)
        told = orjson.loads((tmp_path / "acme" / "state" / "15550001111" / "order.json").read_bytes())
        assert told == {"name": "{acme}:state:15550001111:order", "expires_at": None, "fields": {"step": "menu"}}
        assert (tmp_path / "acme").stat().st_mode & 0o077 == 0, "what users wrote is nobody else's to read"

    asyncio.run(body())


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), min_size=2, max_size=2))
def test_names_and_files_are_one_to_one(parts: list[str]) -> None:
    """If two keys met in one file, or a key led out of its tenant's directory, one user could read another's rows."""
    folder = JsonDirectory(Path("/data/acme"))
    one, other = (folder.file(f"{{acme}}:table:{part}") for part in parts)
    assert (str(one).lower() == str(other).lower()) == (parts[0] == parts[1])
    for file in (one, other):
        assert os.path.normpath(file) == str(file)
        assert file.is_relative_to(folder.path / "table")
        assert all(len(part) < 200 and not part.startswith(".") for part in file.parts)


def test_names_that_mean_places() -> None:
    """If a table could be called `..`, its rows would be among another tenant's."""
    folder = JsonDirectory(Path("/data/acme"))
    for name in ("..:x", ".:x", "../../globex:x", "a:..", "a:.", "a:../b", "A:x", "a:x"):
        assert folder.file(f"{{acme}}:table:{name}").is_relative_to("/data/acme/table")
        assert ".." not in folder.file(f"{{acme}}:table:{name}").parts


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.state import json_directory
from pipeline.state.json_directory import JsonDirectory, StoredRow

left = int(sys.argv[2])
put = json_directory._replace_file

def dying(file, content):
    global left
    if left == 0:
        file.with_name(f".{file.name}.new").write_bytes(content[:5])
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    put(file, content)

json_directory._replace_file = dying
mine = JsonDirectory(Path(sys.argv[1]))
with mine.locked(5):
    mine.write({f"{{t}}:{name}": StoredRow({"x": b"2"}, None) for name in "abc"})
"""


@pytest.mark.parametrize(("writes", "value"), [(0, b"1"), (1, b"2"), (2, b"2"), (3, b"2")])
def test_a_killed_writer_leaves_all_or_nothing(tmp_path: Path, writes: int, value: bytes) -> None:
    """If a worker died between two files, an event would be half done: charged, say, and not delivered."""

    async def read() -> list[bytes | None]:
        async with opened(tmp_path) as store:
            return [await store.field(f"{{t}}:{name}", "x") for name in "abc"]

    folder = JsonDirectory(tmp_path / "t")
    with folder.locked(5):
        folder.write({f"{{t}}:{name}": StoredRow({"x": b"1"}, None) for name in "abc"})
    died = subprocess.run([sys.executable, "-c", KILLED, str(folder.path), str(writes)], check=False, timeout=HANG)
    assert died.returncode == -signal.SIGKILL
    assert asyncio.run(read()) == [value] * 3


def test_a_lock_that_is_not_given_back_is_waited_for(tmp_path: Path) -> None:
    """If a stopped process that holds the lock failed events, what waits an hour would be dead letters."""

    async def body() -> None:
        impatient = JsonStore(tmp_path, lock_timeout=0.05)
        with JsonDirectory(tmp_path / "t").locked(5):
            with pytest.raises(Unavailable, match="holds the cache files"):
                await impatient.row("{t}:a")
            assert await impatient.row("{other}:a") is None, "another tenant has another lock"
        assert await impatient.row("{t}:a") is None
        await impatient.close()

    asyncio.run(body())


def test_files_that_can_not_be_used_are_waited_for(tmp_path: Path) -> None:
    """If a spoilt file or a lost disk looked like a bad event, events would be dead-lettered for it."""

    async def body() -> None:
        async with opened(tmp_path / "cache") as store:
            await store.put("{t}:a", "x", b"1", None)
            (tmp_path / "cache" / "t" / "a.json").write_text('{"fields": ')
            with pytest.raises(Unavailable, match="mend it or remove it"):
                await store.row("{t}:a")
        (tmp_path / "file").write_text("")
        async with opened(tmp_path / "file") as store:
            for call in (store.row("{t}:a"), store.ping()):
                with pytest.raises(Unavailable, match="can't be used"):
                    await call

    asyncio.run(body())


def test_what_has_expired_is_removed(tmp_path: Path) -> None:
    """If expired files stayed, the directory would grow by every event that there ever was."""

    async def body() -> None:
        now = 100 * HOUR + 1.0
        store = JsonStore(tmp_path, clock=lambda: now)
        await store.commit([RowChange("{t}:a", sets={"x": b"1"}, ttl=10)], UnitRecord("{t}:unit:e", b"[]", 20))
        await store.put("{t}:renewed", "x", b"1", 10)
        await store.expire("{t}:renewed", 3 * HOUR)
        await store.put("{t}:stays", "x", b"1", None)
        now += HOUR
        assert await store.row("{t}:a") is None
        assert await store.recorded("{t}:unit:e") is None
        assert {file.name for file in (tmp_path / "t").rglob("*.json")} == {"renewed.json", "stays.json"}
        assert await store.exists("{t}:renewed")
        await store.close()

    asyncio.run(body())


def test_a_worker_that_comes_back_knows_what_it_did(tmp_path: Path) -> None:
    """If the setting did not reach the files, a restarted worker would answer what it has answered already."""

    async def body() -> None:
        chosen = settings_of("pipeline.agents.handlers.echo.EchoHandler").model_copy(
            update={"cache": "json", "data_dir": tmp_path}
        )
        for _ in range(2):
            runner = HandlerRunner(chosen, tenants(acme=None))
            commands = await runner.run(text("hello"))
            assert [command.body.get("text") for command in commands] == [None, "You said: hello"]
            await runner.close()
        async with opened(tmp_path / "cache") as store:
            assert await store.field("{acme}:user:15550001111:echo", "messages") == b"1"

    asyncio.run(body())


def test_two_processes_lose_no_write(tmp_path: Path) -> None:
    """If the later of two workers' writes won, a cart would lose what the other one put in."""
    count = writes(200)
    assert between_processes("json", "", tmp_path, "acme", count) == count
