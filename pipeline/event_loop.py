"""uvloop for workers and ingress. aiokafka survives it only with `pipeline.aiokafka_patches`."""

from __future__ import annotations

import asyncio

import uvloop


def new_event_loop() -> asyncio.AbstractEventLoop:
    return uvloop.new_event_loop()


def use_everywhere() -> None:
    """Use uvloop for every loop that this process makes from now on, also for that of Faust's consumer thread."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
