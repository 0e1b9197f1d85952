"""The command line of the testing stack's worker: it does not wait between the tries of an event.

So a test hears of its handler's error at once, and not after the minutes of an outage.
"""

from __future__ import annotations

from runpy import run_module
from typing import Final
from unittest.mock import patch

from pipeline.backoff import RetryPauses
from pipeline.handlers.runner import HandlerRunner
from pipeline.topics.events import EventBase

QUICK: Final = RetryPauses(io_errors=(0.01, 0.1))
"""Pauses in seconds. The last one repeats while a handler raises `Unavailable`."""


def _retry_quickly(_: HandlerRunner, __: EventBase) -> RetryPauses:
    return QUICK


if __name__ == "__main__":
    with patch.object(HandlerRunner, "retries", _retry_quickly):
        run_module("pipeline.cli", run_name="__main__")  # by its name, as the processes of the stack are run
