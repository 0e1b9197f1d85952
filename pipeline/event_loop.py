"""uvloop, and aiokafka made to survive it.

asyncio takes a write on a connection that is closed already and forgets it; uvloop raises `RuntimeError`. aiokafka
expects `OSError`: at the death of a broker the task that keeps a client's metadata ends of it, unheard. From then on
nothing that needs metadata comes back: a worker keeps its partitions and never commits, fetches or rejoins again
(aio-libs/aiokafka issue 1038).

It overrides names of aiokafka 0.14.0, which `tests/unit/test_private_names.py` watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any

import uvloop
from aiokafka.conn import AIOKafkaConnection, CloseReason

Write = Callable[..., Any]


def new_event_loop() -> asyncio.AbstractEventLoop:
    return uvloop.new_event_loop()


def use_everywhere() -> None:
    """For every loop that this process makes from now on, Faust's consumer thread's too."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def _unless_closed(write: Write) -> Write:
    """What a closed connection can't take is a connection that is broken, as aiokafka knows it."""

    @wraps(write)
    def checked(connection: Any, *args: Any, **kwargs: Any) -> Any:
        writer = connection._writer
        if writer is not None and writer.transport.is_closing():
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
        return write(connection, *args, **kwargs)

    return checked


AIOKafkaConnection.send = _unless_closed(AIOKafkaConnection.send)
AIOKafkaConnection._send_sasl_token = _unless_closed(AIOKafkaConnection._send_sasl_token)
