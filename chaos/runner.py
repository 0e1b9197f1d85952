"""The two threads of a run: the stack's supervisor in the main one, everything else beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from chaos.stack import Stack
from pipeline.errors import PipelineError
from pipeline.event_loop import new_event_loop

START_SECONDS: Final = 600.0
"""A stack that stands still is found sooner, by its supervisor."""
Say = Callable[[str], None]
T = TypeVar("T")


class Runner(Generic[T]):
    """Runs `work` in a thread, once the stack is ready, and ends the stack after it."""

    def __init__(self, stack: Stack, say: Say, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._stack = stack
        self._say = say
        self._work = work
        self._results: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> T:
        """Block until the stack has stopped. Raise `PipelineError` if it did not start or was interrupted."""
        thread = threading.Thread(target=self._beside, daemon=True)
        thread.start()
        self._stack.run()
        if self._stack.interrupted:
            raise PipelineError("interrupted: nothing was counted")
        thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _beside(self) -> None:
        try:
            if not self._stack.log.ready.wait(START_SECONDS):
                raise PipelineError(f"the stack did not start within {START_SECONDS:.0f} s: see its logs (--keep)")
            self._say("the stack is ready")
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                self._results.append(runner.run(self._work()))
        except BaseException as error:
            self._error = error
        finally:
            self._stack.stop()
