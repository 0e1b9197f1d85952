"""Plain agents: whatever leaves one ends the process, before Faust can acknowledge and go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import pytest

from pipeline.runtime.faust.plain_agents import crash_on_error


class App:
    """Stands for an app that runs, or is being stopped."""

    def __init__(self, should_stop: bool = False) -> None:
        self.should_stop = should_stop
        self.reasons: list[BaseException] = []

    async def crash(self, reason: BaseException) -> None:
        self.reasons.append(reason)


class Odd(BaseException):
    """What no `except Exception` catches."""


async def _run(app: Any, agent: Any) -> list[Any]:
    result = crash_on_error(app, agent)("stream")
    if isinstance(result, AsyncIterable):
        return [value async for value in result]
    return [await result]


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), Odd()])
def test_whatever_an_agent_raises_ends_the_app(error: BaseException) -> None:
    """Its event would be acknowledged undone, and the agent started anew as if nothing was wrong."""
    app = App()

    async def agent(_: Any) -> None:
        raise error

    async def generator(_: Any) -> AsyncIterator[int]:
        yield 1
        raise error

    for function in (agent, generator):
        with pytest.raises(type(error)):
            asyncio.run(_run(app, function))
    assert app.reasons == [error, error]


def test_an_app_that_stops_its_agents_has_not_crashed() -> None:
    """Every clean stop would end with status 1."""
    app = App(should_stop=True)

    async def agent(_: Any) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_run(app, agent))
    assert not app.reasons


def test_a_generator_that_nobody_reads_to_its_end_is_no_crash() -> None:
    """Closing an agent's stream would end the process."""
    app = App()

    async def generator(_: Any) -> AsyncIterator[int]:
        yield 1
        yield 2

    async def read_one() -> None:
        values = crash_on_error(app, generator)("stream")  # type: ignore[arg-type]
        assert await anext(values) == 1
        await values.aclose()

    asyncio.run(read_one())
    assert not app.reasons


def test_an_agent_keeps_its_name() -> None:
    """Faust names topics and logs after the function."""

    async def analytics(_: Any) -> None:
        """Counts."""

    assert crash_on_error(App(), analytics).__name__ == "analytics"  # type: ignore[arg-type]
