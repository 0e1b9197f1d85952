"""Which stacks are compared: the same four processes, the same stages, the same sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Candidate:
    """One stack.

    Attributes:
        door: the command of its ingress; `workers`: those of the others, in the order of starting.
        env: variables of all of them.
        share: the part of the webhooks that it is given.
    """

    name: str
    door: tuple[str, ...]
    workers: tuple[tuple[str, ...], ...]
    env: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0


_APPS: Final = ("messenger", "handlers", "intake")


def _stock(name: str, concurrency: int, *, linger_ms: float = 20, share: float = 1.0) -> Candidate:
    env = {"BENCH_STOCK_CONCURRENCY": str(concurrency), "BENCH_STOCK_LINGER_MS": str(linger_ms)}
    return Candidate(name, ("bench.stock", "ingress"), tuple(("bench.stock", app) for app in _APPS), env, share)


OURS: Final = Candidate(
    "this pipeline", ("pipeline.cli", "ingress"), tuple(("pipeline.cli", "worker", app) for app in _APPS)
)
STOCK_IN_ORDER: Final = _stock("stock Faust, in order", 1, share=0.2)
STOCK_CONCURRENT: Final = _stock("stock Faust, 100 at once", 100, share=0.5)
STOCK_PROMPT: Final = _stock("stock Faust, linger 0", 1, linger_ms=0)
