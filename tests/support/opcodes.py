"""Count the work of a call, in instructions of the interpreter: the same number on every machine, however busy."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

TURNS: Final = 3


def count_opcodes(call: Callable[[], object]) -> int:
    """Return the instructions that a call runs in Python code, in all frames.

    The least of several turns: a finalizer or a callback that happens to run in this thread can only add some.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return min(_count(call) for _ in range(TURNS))
    finally:
        if collects:
            gc.enable()


def _count(call: Callable[[], object]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
