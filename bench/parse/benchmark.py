"""`parse`: CPU of one webhook, beside the floor, Wappa and PyWa. It needs no Kafka."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.options import Options
from bench.parse import bodies, peers
from bench.parse.ours import CANDIDATES, FLOOR
from bench.report import Result, Table

WEBHOOKS: Final = 1_000
TURNS: Final = 20
"""Times that a candidate parses them in one of the run's rounds."""
FORMS: Final[Mapping[str, Callable[[int], bytes]]] = {"670 bytes": bodies.usual, "with user ids": bodies.identified}
NOTES: Final = (
    "µs of CPU per webhook, the best of all turns. x floor: of the floor on the same interpreter, in the same turns.",
    "Wappa and PyWa run on an interpreter of their own (--peers), each with the packages that it asks for.",
    "The floor makes pydantic models of exactly this webhook's fields, of one message, and no id, key or time.",
)

Costs = Mapping[str, Sequence[float]]


def parse(options: Options, tell: peers.Tell) -> Result:
    with TemporaryDirectory(prefix="pipeline-bench-") as place:
        pythons = peers.installed(options.peers, Path(place), tell)
        found = {form: _compare(form, make, pythons, options.rounds, tell) for form, make in FORMS.items()}
    return Result("parse", [table(form, *each) for form, each in found.items()], found)


def table(form: str, ours: Costs, theirs: Mapping[str, peers.Figures]) -> Table:
    rows = [[name, "", *_cells(costs, ours[FLOOR])] for name, costs in ours.items()]
    rows += [[name, _versions(each), *_cells(each["costs"], each["floors"])] for name, each in theirs.items()]
    return Table(f"one text webhook, {form}", ["parsing", "on", "CPU µs", "x floor"], rows, NOTES, texts=(1,))


def _cells(costs: Iterable[float], floor: Iterable[float]) -> list[str]:
    best = min(costs)
    return [f"{best:.2f}", f"{best / min(floor):.2f}"]


def _versions(figures: peers.Figures) -> str:
    return f"{figures['version']}, Python {figures['python']}, pydantic {figures['pydantic']}"


def _compare(
    form: str, make: Callable[[int], bytes], pythons: Mapping[str, str], rounds: int, tell: peers.Tell
) -> tuple[dict[str, list[float]], dict[str, peers.Figures]]:
    made = [make(number) for number in range(WEBHOOKS)]
    ours = in_turns(made, rounds * TURNS)
    theirs = peers.measured(pythons, made, rounds * TURNS, tell)
    tell(f"{form}: {', '.join(f'{name} {min(costs):.1f} µs' for name, costs in ours.items())}")
    return ours, theirs


def in_turns(made: Sequence[bytes], turns: int) -> dict[str, list[float]]:
    """Return every candidate's µs of CPU per webhook, turn by turn; without what was made before, as in a worker."""
    gc.collect()
    gc.freeze()
    costs: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for _ in range(turns):
        for name, candidate in CANDIDATES.items():
            costs[name].append(_cost(candidate, made))
    gc.unfreeze()
    return costs


def _cost(candidate: Callable[[bytes], object], made: Sequence[bytes]) -> float:
    began = time.thread_time()
    for body in made:
        candidate(body)
    return (time.thread_time() - began) / len(made) * 1e6
