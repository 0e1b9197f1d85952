"""`pipeline up --reload`: when a worker is replaced, and by what. In `tests/integration/test_wheel.py` it is real."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.local import reload
from pipeline.local.child import Child, ChildState
from pipeline.local.reload import Reloader
from pipeline.local.services import Service
from pipeline.local.sources import MAX_FOLDERS, Sources, sources_of
from tests.support.stacks import ROOT, eventually

WORKER = """
import asyncio, pathlib, signal, sys, time
from pipeline.local.turn import Turn
place = pathlib.Path(sys.argv[1])

def note(words):
    with (place / "notes").open("a") as file:
        file.write(words + "\\n")

async def serve(turn):
    import code_of_mine
    await turn.wait_to_run()
    note(f"run {code_of_mine.VERSION}")
    (place / "serves").touch()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    while (place / "busy").exists():
        await asyncio.sleep(0.01)
    note(f"end {code_of_mine.VERSION}")

sys.path.append(str(place))
with Turn(int(sys.argv[-1]) if "--standby" in sys.argv else None) as turn:
    turn.wait_to_load()
    asyncio.run(serve(turn))
"""
"""A worker that notes what it does, and ends as long as it has work only once that is done."""


class Screen:
    """Keeps what a reload tells."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def reloading(self, name: str, changed: Sequence[Path]) -> None:
        self.told.append(f"{name}: {', '.join(path.name for path in changed)}")

    def not_reloaded(self, name: str, why: str, *, goes_on: bool) -> None:
        self.told.append(f"{name}: {why}, {goes_on}")


class Bench:
    """One worker under a reloader."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.screen = Screen()
        (place / "worker.py").write_text(WORKER)
        self.save("VERSION = 1")
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, str(place / "worker.py"), str(place)]
        service = Service("handlers", argv, env, ready=(place / "serves").exists, prepare=self._begin)
        self.child = Child(service, place / "handlers.log")
        self.reloader = Reloader(Sources([place / "code_of_mine.py"]), [self.child], self.screen)
        self.child.start()
        self.until(lambda: self.child.state is ChildState.READY)

    def _begin(self) -> None:
        (self.place / "serves").unlink(missing_ok=True)

    def save(self, code: str) -> None:
        (self.place / "code_of_mine.py").write_text(code)

    @property
    def notes(self) -> list[str]:
        return (self.place / "notes").read_text().splitlines()

    def until(self, true: Callable[[], object]) -> None:
        """Do what a supervisor does until something is true."""

        def look() -> object:
            self.child.observe()
            self.reloader.tick()
            return true()

        eventually(look, lambda: f"{self.screen.told}, {(self.place / 'handlers.log').read_text()}")

    def close(self) -> None:
        self.reloader.close()
        self.child.kill()
        self.child.reap()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(reload, "LOOK_INTERVAL", 0.01)
    made = Bench(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_the_new_code_runs_once_the_old_has_finished_its_work(bench: Bench) -> None:
    """Two workers of one name would take records from each other, and a record in progress would be done twice."""
    first = bench.child.pid
    (bench.place / "busy").touch()
    bench.save("VERSION = 2  # new")
    bench.until(lambda: bench.child.state is ChildState.RETIRING)
    assert bench.child.pid == first
    assert bench.notes == ["run 1"]
    (bench.place / "busy").unlink()
    bench.until(lambda: "run 2" in bench.notes)
    assert bench.notes == ["run 1", "end 1", "run 2"]
    assert bench.screen.told == ["handlers: code_of_mine.py"]
    assert (bench.child.pid != first, bench.child.deaths) == (True, 0)


def test_code_with_an_error_replaces_nothing(bench: Bench) -> None:
    """A slip of the finger would end the stack, or leave its users without an answer."""
    first = bench.child.pid
    bench.save("VERSION = 1 / 0")
    bench.until(lambda: len(bench.screen.told) == 2)
    assert bench.screen.told[1] == "handlers: ZeroDivisionError: division by zero, True"
    bench.save("raise SystemExit(3)  # again")
    bench.until(lambda: len(bench.screen.told) == 4)
    assert bench.screen.told[3] == "handlers: its process ended with exit status 3, True"
    assert (bench.child.pid, bench.child.state) == (first, ChildState.READY)
    bench.save("VERSION = 3 # right again")
    bench.until(lambda: "run 3" in bench.notes)
    assert bench.notes == ["run 1", "end 1", "run 3"]


def test_what_dies_with_wrong_code_on_disk_waits_for_the_next_change(bench: Bench) -> None:
    """The supervisor would start it four times in a second, and then give up the whole stack."""
    bench.save("VERSION = 1 / 0")
    bench.until(lambda: len(bench.screen.told) == 2)
    bench.child.kill()
    bench.until(lambda: bench.child.state is ChildState.WAITING)
    assert not bench.reloader.allows_start(bench.child)
    bench.save("VERSION = 2 # right")
    bench.until(lambda: "run 2" in bench.notes)
    assert bench.reloader.allows_start(bench.child)


def test_a_change_while_the_old_code_ends_is_not_forgotten(bench: Bench) -> None:
    """The developer would look at the effects of the change before."""
    (bench.place / "busy").touch()
    bench.save("VERSION = 2  # new")
    bench.until(lambda: bench.child.state is ChildState.RETIRING)
    bench.save("VERSION = 3  # newer")
    seen = time.monotonic()
    bench.until(lambda: time.monotonic() > seen + 0.1)
    (bench.place / "busy").unlink()
    bench.until(lambda: "run 3" in bench.notes)
    assert bench.notes == ["run 1", "end 1", "run 2", "end 2", "run 3"]


def test_the_imports_of_the_pipeline_are_done_before_a_change(bench: Bench) -> None:
    """Each reload would take as long as a start."""
    bench.until(lambda: bench.reloader._replacements["handlers"]._standby)
    assert bench.notes == ["run 1"]


def test_changes_count_once_nothing_changes_any_more(tmp_path: Path) -> None:
    """Half of a file that is being written would be loaded."""
    sources = Sources([tmp_path])
    assert sources.changed() == []
    (tmp_path / "bot.py").write_text("half")
    assert sources.changed() == []
    (tmp_path / "bot.py").write_text("a whole")
    assert sources.changed() == []
    assert sources.changed() == [tmp_path / "bot.py"]
    assert sources.changed() == []
    (tmp_path / "bot.py").unlink()
    assert [sources.changed(), sources.changed()] == [[], [tmp_path / "bot.py"]]


def test_only_what_a_developer_writes_counts(tmp_path: Path) -> None:
    """An installation into the environment, or the data of the stack, would replace the worker again and again."""
    for folder in (".venv", "env", "node_modules", "shop", ".pipeline", "shop/__pycache__"):
        (tmp_path / folder).mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    sources = Sources([tmp_path, tmp_path / "tenants.yaml"])
    written = (".venv/a.py", "env/a.py", "node_modules/a.py", ".pipeline/a.py", "shop/__pycache__/a.py", "shop/a.txt")
    for name in (*written, "shop/a.py", "tenants.yaml"):
        (tmp_path / name).touch()
    assert [sources.changed(), sources.changed()] == [[], [tmp_path / "shop/a.py", tmp_path / "tenants.yaml"]]


def test_a_handler_elsewhere_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of it would need a restart, though all others do not."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there" / "shop_of_test").mkdir(parents=True)
    (tmp_path / "there" / "shop_of_test" / "__init__.py").touch()
    (tmp_path / "there" / "bot_of_test.py").touch()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(str(tmp_path / "there"))
    sources = sources_of(["shop_of_test.bot.Bot", "bot_of_test:bot", "no_such_package.Bot", "pytest.Bot"])
    for name in ("shop_of_test/bot.py", "bot_of_test.py", "other.py"):
        (tmp_path / "there" / name).write_text("new")
    assert [sources.changed(), [path.name for path in sources.changed()]] == [[], ["bot_of_test.py", "bot.py"]]


def test_a_home_directory_is_refused(tmp_path: Path) -> None:
    """Looking at all of it five times a second would take the processor, and nobody would know why."""
    for number in range(MAX_FOLDERS + 1):
        (tmp_path / str(number)).mkdir()
    with pytest.raises(UsageError, match="more than 1000 folders"):
        Sources([tmp_path])
