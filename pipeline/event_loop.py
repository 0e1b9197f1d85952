"""uvloop for workers and ingress. Whoever has it has the connection to Kafka that survives it."""

from __future__ import annotations

import asyncio

import uvloop

from pipeline import kafka_connection  # noqa: F401 (it is patched there)


def new_event_loop() -> asyncio.AbstractEventLoop:
    return uvloop.new_event_loop()


def use_everywhere() -> None:
    """For every loop that this process makes from now on, Faust's consumer thread's too."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
