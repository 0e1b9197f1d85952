"""Makes plain Faust agents end the process when they raise.

Stock Faust acknowledges the current event and restarts the agent, so the event is lost without an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import faust

AgentFunction = Callable[[Any], Any]


def crash_on_error(app: faust.App, function: AgentFunction) -> AgentFunction:
    """Wrap an agent function, or async generator function, so that whatever it raises crashes its app."""

    @wraps(function)
    def call(stream: Any) -> Any:
        result = function(stream)
        return _generate(app, result) if isinstance(result, AsyncIterable) else _run(app, result)

    return call


async def _run(app: faust.App, work: Awaitable[None]) -> None:
    async with _crash_on_error(app):
        await work


async def _generate(app: faust.App, values: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async with _crash_on_error(app):
        async for value in values:
            yield value


@asynccontextmanager
async def _crash_on_error(app: faust.App) -> AsyncIterator[None]:
    try:
        yield
    except GeneratorExit:
        raise
    except BaseException as error:  # also a cancellation, which may be anybody's, unless the app stops
        if not app.should_stop:
            await app.crash(error)
        raise
