"""The switch to the real stack: what it says before anything is started."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import psutil
import pytest

from pipeline.errors import ConfigurationError, InvalidRecord, NoActiveEvent, PipelineError, UsageError, error_type
from pipeline.handlers import Effects, EventHandler, agent
from pipeline.handlers.loading import load_handler
from pipeline.local.kafka import Kafka
from pipeline.runtime import PipelineApp
from pipeline.settings import Settings
from pipeline.testing import HandlerDriver, on_stack
from pipeline.testing.memory import MemoryEnvironment
from pipeline.testing.stack.failures import rebuild_exception
from pipeline.testing.stack.imports import path_of
from pipeline.testing.stack.servers import servers, worker_spec
from pipeline.topics.dead_letters import DeadLetter, DeadLetterId
from pipeline.topics.events import MessageEvent


class Odd(Exception):
    """Known in this module only."""


class Plain(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        """Nothing."""

    class Inner(EventHandler):
        async def process_message(self, webhook: MessageEvent) -> None:
            """Nothing."""


class Holding(Plain):
    """Made with or without a greeting, and with something that equals nothing else."""

    def __init__(self, greeting: str = "Hello") -> None:
        self.greeting = greeting
        self.lock = asyncio.Lock()


class Demanding(Plain):
    def __init__(self, greeting: str) -> None:
        self.greeting = greeting


@agent(MessageEvent)
async def named(event: MessageEvent, effects: Effects) -> None:
    """Nothing."""


GREETER = Demanding("Hi")


def _inside() -> EventHandler:
    class Hidden(Plain):
        pass

    return Hidden()


def _agent_inside() -> EventHandler:
    @agent(MessageEvent)
    async def hidden(event: MessageEvent, effects: Effects) -> None:
        """Nothing."""

    return hidden


def _changed() -> EventHandler:
    handler = Plain()
    handler.db = object()
    return handler


def _of_a_script() -> EventHandler:
    class Scripted(Plain):
        __module__ = "__main__"
        __qualname__ = "Scripted"

    return Scripted()


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (Plain(), "Plain"),
        (Plain.Inner(), "Plain.Inner"),
        (Holding("Hello"), "Holding"),
        (GREETER, "GREETER"),
        (named, "named"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_worker_finds_what_the_test_has(handler: EventHandler, name: str) -> None:
    """The worker would run another handler than the one that is tested, or none."""
    _ = handler.logger, handler.get_all_stats()  # what it makes for itself is no difference
    assert path_of(handler) == f"{__name__}:{name}"
    found = load_handler(path_of(handler))
    assert found is handler or type(found) is type(handler)


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (_inside(), "can't import the Hidden of .*: put it at the top of a module, or skip the test there with"),
        (_agent_inside(), "can't import the Agent of .*: put it at the top of a module, or skip"),
        (_of_a_script(), "can't import the Scripted of __main__: put it"),
        (Demanding("Hi"), r"makes Demanding\(\) itself, .*: give it a name at the top of .*test_testing_stack, or"),
        (Holding("Hi"), r"makes Holding\(\) itself"),
        (_changed(), r"makes Plain\(\) itself"),
    ],
    ids=["local", "local agent", "script", "demanding", "given", "changed"],
)
def test_what_a_worker_cannot_find_is_said_in_one_line(
    handler: EventHandler, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test would pass on the stack with a handler that was made otherwise, or wait for one that is not there."""
    HandlerDriver(handler)
    monkeypatch.setenv("PIPELINE_TESTING", "stack")
    with pytest.raises(UsageError, match=says) as caught:
        HandlerDriver(handler)
    assert "\n" not in str(caught.value)
    assert servers.cache_info().currsize == 0, "nothing is started for it"


@pytest.mark.parametrize(("value", "is_there"), [(None, False), ("", False), ("memory", False), ("stack", True)])
def test_the_switch(value: str | None, is_there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test would start a Kafka, or none that was meant to."""
    monkeypatch.delenv("PIPELINE_TESTING", raising=False)
    if value is not None:
        monkeypatch.setenv("PIPELINE_TESTING", value)
    assert on_stack() is is_there
    if not is_there:
        assert isinstance(HandlerDriver(Plain())._environment, MemoryEnvironment)


def test_a_misspelt_switch_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody would believe for months that their tests run on the stack."""
    monkeypatch.setenv("PIPELINE_TESTING", "stak")
    with pytest.raises(UsageError, match="PIPELINE_TESTING is 'stak': set it to stack, or leave it out"):
        HandlerDriver(Plain())


def test_a_worker_is_kept_for_the_same_job_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler would not see the variable that its test sets, or every test would wait for a worker of its own."""
    first = worker_spec("a:B", 30)
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another")
    assert worker_spec("a:B", 30) == first
    assert worker_spec("a:B", 1) != first != worker_spec("a:C", 30)
    monkeypatch.setenv("LOOKUP_URL", "http://127.0.0.1:1")
    assert worker_spec("a:B", 30) != first


@pytest.mark.parametrize("kind", [Odd, ValueError, InvalidRecord, ConfigurationError, NoActiveEvent])
def test_a_dead_letter_is_the_exception_again(kind: type[Exception]) -> None:
    """`pytest.raises` would pass in memory and fail on the stack."""
    found = rebuild_exception(_letter(error_type(kind())), __name__)
    assert (type(found), str(found)) == (kind, "no such dish")


def test_a_renamed_error_keeps_its_name_in_dead_letters() -> None:
    """Filters and alerts by `error-type` would stop matching with an upgrade."""
    assert error_type(NoActiveEvent()) == "OutsideEvent"


def test_an_exception_that_nobody_knows_names_itself() -> None:
    """Its author would not learn what their handler raised."""
    for unknown in ("ServiceError", "Plain", "KeyboardInterrupt"):
        found = rebuild_exception(_letter(unknown), __name__)
        assert isinstance(found, PipelineError)
        assert str(found) == f"{unknown}: no such dish"


def _letter(error: str) -> DeadLetter:
    where = DeadLetterId("handle", 0, 7)
    return DeadLetter(where, b"key", b"value", (), error, "no such dish", 4, "events.test-1", 1, 3, 0)


def test_offsets_are_committed_as_often_as_is_set() -> None:
    """Every step of a test on the stack would wait for half a second, and a setting would do nothing."""

    async def interval() -> float:
        app = PipelineApp("often", Settings(commit_interval=0.05))
        return float(app.conf.broker_commit_interval)

    assert asyncio.run(interval()) == 0.05


def test_a_stack_that_does_not_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test would leave a Redis and a directory behind, for want of a Kafka."""

    def refuse(_: Kafka) -> None:
        raise UsageError("there is no Kafka")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Kafka, "wait_ready", refuse)
    monkeypatch.setattr(Kafka, "launch", lambda _: None)
    with pytest.raises(UsageError, match="there is no Kafka"):
        servers()
    assert list(tmp_path.iterdir()) == []
    assert not [each for each in psutil.Process().children(recursive=True) if str(tmp_path) in " ".join(each.cmdline())]
