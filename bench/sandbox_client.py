"""The benchmark's side of a sandbox: how slowly it answers, and what it has accepted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple
from urllib.request import Request, urlopen

import orjson

from bench import webhooks
from pipeline.errors import PipelineError

TIMEOUT: Final = 120.0
LOOK: Final = 0.1
"""Seconds between two looks at a number that is waited for."""


class Sent(NamedTuple):
    """A message that was accepted: its command's number and the time, in seconds since the epoch."""

    number: int
    at: float


class SandboxClient:
    """One sandbox."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_sandbox"

    def answer_after(self, least: float, most: float) -> None:
        """Let each answer come after a random time, in seconds. The message is accepted before."""
        self._request("faults", {"latency": least, "latency_max": most})

    def limit(self, per_second: float | None) -> None:
        """Set the limit of each number, and the pair limit as a debt; None: no limits. All counters start anew."""
        limits = {"messages_per_second": per_second, "pair": "off" if per_second is None else "debt"}
        self._request("faults", {"limits": limits})

    def forget(self) -> None:
        """Forget the messages that were accepted."""
        self._request("sent", method="DELETE")

    def count(self) -> int:
        """Return the number of messages that were accepted."""
        return int(self._request("stats")["sent"]["total"])

    def require_no_violation(self) -> None:
        """Raise `PipelineError` if a limit was exceeded."""
        if found := int(self._request("stats")["violations"]["total"]):
            raise PipelineError(f"the sandbox counted {found:,} messages over a limit")

    def sent(self, account: str) -> list[Sent]:
        """Return the messages of a number, oldest first. Raise `PipelineError` if one was accepted twice."""
        found = [_sent(row) for row in self._request(f"sent?account={account}")]
        if len({each.number for each in found}) != len(found):
            raise PipelineError(f"messages of {account} were accepted twice")
        return found

    def wait_for(self, account: str, numbers: Collection[int], seconds: float) -> list[Sent]:
        """Return the messages of a number once these are among them. Raise `PipelineError` after so many seconds."""
        deadline, wanted = time.monotonic() + seconds, set(numbers)
        while True:
            sent = self.sent(account)
            missing = len(wanted.difference(each.number for each in sent))
            if not missing:
                return sent
            if time.monotonic() > deadline:
                raise PipelineError(f"{missing:,} of {len(wanted):,} messages were not accepted in {seconds:.0f} s")
            time.sleep(1.0)

    def wait_until(self, enough: Callable[[int], bool], seconds: float) -> None:
        """Return once the number of accepted messages is enough. Raise `PipelineError` after so many seconds."""
        deadline = time.monotonic() + seconds
        while not enough(count := self.count()):
            if time.monotonic() > deadline:
                raise PipelineError(f"only {count:,} messages were accepted in {seconds:.0f} s")
            time.sleep(LOOK)

    def _request(self, path: str, body: object = None, method: str | None = None) -> Any:
        data = None if body is None else orjson.dumps(body)
        with urlopen(Request(f"{self._url}/{path}", data, method=method), timeout=TIMEOUT) as response:
            return orjson.loads(response.read())


def _sent(row: dict[str, Any]) -> Sent:
    number = webhooks.number_in(orjson.dumps(row["body"]))
    if number is None:
        raise PipelineError("a message was accepted that has no number")
    return Sent(number, row["at"])
