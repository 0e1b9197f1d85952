"""A process with a watchdog, for its tests: `python -m tests.support.watched_process WHAT SECONDS`."""

from __future__ import annotations

import asyncio
import os
import re
import sys

from pipeline.logging import configure
from pipeline.runtime.process.watchdog import Watchdog


def _spin() -> None:
    while True:
        pass


def _match() -> None:
    """Holds the interpreter's lock for longer than anybody waits."""
    re.match(r"(a+)+$", "a" * 64 + "b")


async def main(what: str, seconds: float) -> None:
    Watchdog(seconds, lambda: os._exit(1)).start()
    print("watched", flush=True)
    match what:
        case "spin":
            _spin()
        case "match":
            _match()
        case "turn":
            while await asyncio.to_thread(sys.stdin.readline):
                print("turned", flush=True)


if __name__ == "__main__":
    configure("json", "info")
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
