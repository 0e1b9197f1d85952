"""`tenants`: load a file of many tenants, and look things up in it. It needs no Kafka."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import orjson

from bench.options import Options
from bench.process import clean_environment
from bench.report import Result, Table
from bench.spread import Spread
from bench.tenants import file

SIZES: Final = ((10, 50), (1_000, 5_000), (10_000, 50_000))
"""Tenants and accounts of each file."""
MAX_SECONDS: Final = 2.0
MAX_MIB: Final = 100.0
"""Bounds of the largest file."""
NOTES: Final = (
    f"Promised for the largest file: {MAX_SECONDS:g} s and {MAX_MIB:g} MiB, on a machine that has nothing else to do.",
    "Each load is the first one of a process of its own. Peak: above what the process had before, at its highest.",
    "To read is the YAML alone. The rest is validation and indexes.",
)
_TIMEOUT: Final = 300

Rounds = Mapping[str, Sequence[Mapping[str, float]]]


def tenants(options: Options, tell: Callable[[str], None]) -> Result:
    sizes = SIZES[: options.tenant_files]
    with TemporaryDirectory(prefix="pipeline-bench-") as place:
        files = {f"{count:,} of {accounts:,}": _written(Path(place), count, accounts) for count, accounts in sizes}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in files}
        for _ in range(options.rounds):
            for name, path in files.items():
                found[name].append(_measured(path))
                tell(f"{name}: {found[name][-1]['seconds']:.2f} s, {found[name][-1]['peak']:.0f} MiB")
    return Result("tenants", [load_table(found), look_up_table(found)], found)


def load_table(found: Rounds) -> Table:
    rows = [
        [name, *(_spread(rounds, figure).text(digits) for figure, digits in _LOAD.items())]
        for name, rounds in found.items()
    ]
    return Table(
        "loading a tenants file",
        ["tenants and accounts", "s", "CPU s", "of it to read", "MiB", "peak MiB"],
        rows,
        NOTES,
    )


_LOAD: Final = {"seconds": 2, "cpu": 2, "read": 2, "held": 0, "peak": 0}


def look_up_table(found: Rounds) -> Table:
    kinds = [figure for figure in next(iter(found.values()))[0] if figure.startswith("find ")]
    rows = [[name, *(f"{min(each[kind] for each in rounds):.2f}" for kind in kinds)] for name, rounds in found.items()]
    columns = ["µs of CPU to find by", *(kind.removeprefix("find ") for kind in kinds)]
    return Table("look-ups", columns, rows, ["The best of all turns. The cost does not depend on how many there are."])


def _written(place: Path, count: int, accounts: int) -> Path:
    path = place / f"tenants-{count}.yaml"
    file.write(path, count, accounts)
    return path


def _measured(path: Path) -> dict[str, float]:
    argv = [sys.executable, "-m", "bench.tenants.load", str(path)]
    answer = subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=_TIMEOUT, env=clean_environment()).stdout
    figures: dict[str, float] = orjson.loads(answer)
    return figures


def _spread(rounds: Sequence[Mapping[str, float]], figure: str) -> Spread:
    return Spread.of(each[figure] for each in rounds)
