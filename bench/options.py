"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

NAMES = (
    "parse",
    "intake",
    "ingress",
    "end-to-end",
    "latency",
    "backlog",
    "tenants",
    "isolation",
    "allowance",
    "send-cost",
    "queued",
    "limits",
)


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the benchmark.

    Attributes:
        only: the names of what is measured.
        seconds: length of each timed load; that of `allowance` is six times as long.
        records: webhooks that a candidate of `intake` reads; stock Faust, which is slower, reads a fifth of them.
        webhooks: webhooks of one `end-to-end` measurement; stock Faust in order gets a fifth of them. A turn of
            `send-cost` has twice as many commands.
        backlog: records that wait for each worker in `backlog`, which looks at it for `hold` seconds at most, and
            commands of one number in `queued` and `limits`.
        rounds: every candidate runs so many times, in turns; the median is reported.
        crowd: a part of the name of the crowds that `isolation` measures; empty: all.
        tenant_files: files that `tenants` loads, from the smallest on.
        peers: an interpreter that Wappa and PyWa run on (3.12 or newer), for `parse`; None: without them.
    """

    only: tuple[str, ...] = NAMES
    seconds: float = 10.0
    records: int = 300_000
    webhooks: int = 10_000
    rounds: int = 3
    backlog: int = 1_000_000
    hold: float = 120.0
    crowd: str = ""
    tenant_files: int = 3
    peers: str | None = None

    @classmethod
    def chosen(cls, *, quick: bool, only: tuple[str, ...], **given: Any) -> Options:
        """Return the defaults, or those of a quick run, with what was given put over them."""
        base = QUICK if quick else cls()
        return replace(base, only=only, **{name: value for name, value in given.items() if value is not None})


QUICK = Options(seconds=4.0, records=50_000, webhooks=2_000, rounds=1, backlog=20_000, hold=5.0, tenant_files=2)
"""One round of little: whether everything works, not how fast it is."""
