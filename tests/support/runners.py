"""Runners of one kind of handler, on a store in memory."""

from __future__ import annotations

from typing import TypeVar

from pipeline.handlers import EventHandler, HandlerRunner
from pipeline.state import MemoryStore
from pipeline.topics.commands import Command
from tests.support.handler_events import settings, tenants

H = "tests.support.handlers_for_tests."
Kind = TypeVar("Kind", bound=EventHandler)


class NoCalls(MemoryStore):
    """A store that must not be asked."""

    async def recorded(self, key: str) -> bytes | None:
        raise AssertionError("asked")


def runner_of(kind: type[Kind], timeout: float = 5.0) -> tuple[HandlerRunner, Kind, MemoryStore]:
    store = MemoryStore()
    runner = HandlerRunner(settings(H + kind.__name__, timeout), tenants(acme=None, globex=None), store)
    handler = runner.handler("acme")
    assert isinstance(handler, kind)
    return runner, handler, store


def texts(commands: list[Command]) -> list[str]:
    return [command.body["text"] for command in commands]
