"""The two threads of a run: the stack's supervisor in the main one, everything else beside it."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

import uvloop

from chaos.campaign import Run, Say, campaign
from chaos.options import Options
from chaos.stack import Stack
from pipeline.errors import PipelineError

START_SECONDS: Final = 120.0


class Runner:
    """Runs the campaign in a thread and ends the stack after it."""

    def __init__(self, options: Options, stack: Stack, say: Say) -> None:
        self._options = options
        self._stack = stack
        self._say = say
        self._result: Run | None = None
        self._error: BaseException | None = None

    def run(self) -> Run:
        """Blocks until the stack has stopped. Raises `PipelineError` if it did not start or was interrupted."""
        thread = threading.Thread(target=self._beside, daemon=True)
        thread.start()
        self._stack.run()
        if self._stack.interrupted:
            raise PipelineError("interrupted: nothing was counted")
        thread.join()
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def _beside(self) -> None:
        try:
            if not self._stack.log.ready.wait(START_SECONDS):
                raise PipelineError(f"the stack did not start within {START_SECONDS:.0f} s: see its logs (--keep)")
            self._say("the stack is ready")
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                self._result = runner.run(campaign(self._options, self._stack, self._say))
        except BaseException as error:
            self._error = error
        finally:
            self._stack.stop()
