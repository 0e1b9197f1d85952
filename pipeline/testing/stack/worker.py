"""The command line of the testing stack's worker: it does not wait between the tries of an event.

So a test hears of its handler's error at once, and not after the minutes of an outage.
"""

from __future__ import annotations

from typing import Final

from pipeline.backoff import RetryPauses
from pipeline.cli import main
from pipeline.handlers.runner import HandlerRunner
from pipeline.topics.events import EventBase

QUICK: Final = RetryPauses(io_errors=(0.01, 0.1))
"""Pauses in seconds. The last one repeats while a handler raises `Unavailable`."""


def _retry_quickly(_: HandlerRunner, __: EventBase) -> RetryPauses:
    return QUICK


if __name__ == "__main__":
    HandlerRunner.retries = _retry_quickly  # type: ignore[method-assign]
    main()
