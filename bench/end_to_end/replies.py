"""The replies that have arrived at the sandbox."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from typing import Any
from urllib.request import urlopen

import orjson

from bench import webhooks
from pipeline.errors import PipelineError

PATIENCE = 180.0
"""Seconds for the replies to a load."""


class Replies:
    """The replies at one sandbox, which is the benchmark's own and has no others."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._earlier = 0

    def wait_for(self, numbers: Collection[int]) -> dict[int, float]:
        """Wait until there are as many replies as webhooks; gives when each arrived, seconds since the epoch.

        Raise `PipelineError` unless every one of these webhooks has exactly one.
        """
        self._wait_for_count(self._earlier + len(numbers))
        replies = self._replies()
        counted = Counter(number for number, _ in replies)
        missing, twice = sum(1 for n in numbers if not counted[n]), sum(1 for count in counted.values() if count > 1)
        if missing or twice:
            raise PipelineError(f"of {len(numbers):,} webhooks {missing:,} have no reply and {twice:,} more than one")
        self._earlier = len(replies)
        wanted = set(numbers)
        return {number: at for number, at in replies if number in wanted}

    def _wait_for_count(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while (there := self._get("stats")["sent"]["total"]) < count:
            if time.monotonic() > deadline:
                raise PipelineError(f"only {there:,} of {count:,} replies have arrived in {PATIENCE:.0f} s")
            time.sleep(0.05)

    def _replies(self) -> list[tuple[int, float]]:
        return [(_number(reply), reply["at"]) for reply in self._get("sent")]

    def _get(self, path: str) -> Any:
        with urlopen(f"{self._url}/_sandbox/{path}", timeout=60) as response:
            return orjson.loads(response.read())


def _number(reply: dict[str, Any]) -> int:
    """Of the webhook that it answers: a reply repeats the text."""
    number = webhooks.number_in(orjson.dumps(reply["body"]))
    if number is None:
        raise PipelineError("a reply has arrived that answers no webhook")
    return number
