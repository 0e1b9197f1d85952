"""Plain Faust agents, made to end the process when they raise.

Stock Faust acknowledges the event in hand and starts the agent anew: the event is lost, and nobody is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import faust

AgentFunction = Callable[[Any], Any]


def ending(app: faust.App, function: AgentFunction) -> AgentFunction:
    """The agent function, or async generator function, as one that crashes its app with whatever it raises."""

    @wraps(function)
    def call(stream: Any) -> Any:
        result = function(stream)
        return _generate(app, result) if isinstance(result, AsyncIterable) else _run(app, result)

    return call


async def _run(app: faust.App, work: Awaitable[None]) -> None:
    async with _crashing(app):
        await work


async def _generate(app: faust.App, values: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async with _crashing(app):
        async for value in values:
            yield value


@asynccontextmanager
async def _crashing(app: faust.App) -> AsyncIterator[None]:
    try:
        yield
    except GeneratorExit:
        raise
    except BaseException as error:  # a cancellation too, unless the app stops: whose it was, nobody knows
        if not app.should_stop:
            await app.crash(error)
        raise
