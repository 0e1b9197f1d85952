"""Ours and a stock Faust page, in turns: as fast as they answer, and at a steady 1,000 a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from bench import webhooks
from bench.broker import counted, create_topics, renew
from bench.doors import OURS, STOCK, door
from bench.lab import Lab, lab
from bench.load.task import Answers, Load, post
from bench.options import Options
from bench.process import Process
from bench.report import Result, Table
from bench.spread import Spread
from pipeline.errors import PipelineError
from pipeline.topics.catalogue import RAW

STEADY: Final = 1_000.0
"""Webhooks per second of the open loop."""
CANDIDATES: Final = {"this pipeline": OURS, "stock Faust page": STOCK}

NOTES: Final = (
    "64 keep-alive connections, one process, generator and broker on the same cores; every answer was 200.",
    "The stock page awaits the second future of `topic.send` too: without it, its 200 would promise nothing.",
    "Left: closed loop, the next webhook when the last one is answered. Right: open loop, 1,000 a second, on time.",
    "The latencies of the open loop count from the instant when each webhook was due.",
    "After every run each webhook that was answered with 200 was found on the topic.",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One round. Latencies in ms, CPU in µs of the door's process per webhook."""

    rate: float
    closed_p50: float
    closed_p99: float
    cost: float
    steady_p50: float
    steady_p99: float
    steady_cost: float


Rounds = Mapping[str, Sequence[Measured]]


def ingress(options: Options, tell: Callable[[str], None]) -> Result:
    with lab() as place:
        return _compare(place, options, tell)


def _compare(place: Lab, options: Options, tell: Callable[[str], None]) -> Result:
    asyncio.run(create_topics(place.bootstrap))
    rounds: dict[str, list[Measured]] = {name: [] for name in CANDIDATES}
    for number in range(options.rounds):
        for name, command in CANDIDATES.items():
            found = _measure(place, command, options.seconds)
            rounds[name].append(found)
            tell(f"round {number + 1}: {name} {found.rate:,.0f} webhooks/s, p99 {found.steady_p99:.1f} ms at 1,000/s")
    return Result("ingress", [table(rounds)], {name: [asdict(one) for one in found] for name, found in rounds.items()})


def table(rounds: Rounds) -> Table:
    stock = Spread.of(one.rate for one in rounds["stock Faust page"]).median
    ours = Spread.of(one.rate for one in rounds["this pipeline"]).median
    rows = [[name, *_cells(found, stock)] for name, found in rounds.items()]
    columns = ["ingress", "webhooks/s", "x stock", "p50 / p99 ms", "CPU µs", "p50 ms", "p99 ms", "CPU µs"]
    title = f"signed webhooks, acknowledged: {ours / stock:.1f} x stock (right: at a steady 1,000/s)"
    return Table(title, columns, rows, NOTES)


def _cells(found: Sequence[Measured], stock: float) -> list[str]:
    rate, cost = Spread.of(one.rate for one in found), Spread.of(one.cost for one in found)
    p50, p99 = Spread.of(one.closed_p50 for one in found), Spread.of(one.closed_p99 for one in found)
    return [
        rate.text(),
        f"{rate.median / stock:.1f}",
        f"{p50.median:.1f} / {p99.median:.1f}",
        f"{cost.median:,.0f}",
        Spread.of(one.steady_p50 for one in found).text(1),
        Spread.of(one.steady_p99 for one in found).text(1),
        f"{Spread.of(one.steady_cost for one in found).median:,.0f}",
    ]


def _measure(lab: Lab, command: tuple[str, ...], seconds: float) -> Measured:
    asyncio.run(renew(lab.bootstrap, [RAW.name]))
    env = lab.environment(lab.tenants("http://127.0.0.1:9"), lab.fresh("tables"))
    with door(lab, command, env) as (process, port):
        warm = post(lab, Load(port, seconds=1.0))
        fast, cost = _cost(process, lambda: post(lab, Load(port, _next(warm), seconds)))
        steady, steady_cost = _cost(process, lambda: post(lab, Load(port, _next(fast), seconds, rate=STEADY)))
    asyncio.run(_verify(lab.bootstrap, [warm, fast, steady]))
    return Measured(
        fast.rate,
        fast.latency(0.5),
        fast.latency(0.99),
        cost,
        steady.latency(0.5),
        steady.latency(0.99),
        steady_cost,
    )


def _next(answers: Answers) -> int:
    return max(answers.accepted) + 1


def _cost(process: Process, load: Callable[[], Answers]) -> tuple[Answers, float]:
    """Return the answers, and µs of the process's CPU for each."""
    before = process.cpu_seconds()
    answers = load()
    return answers, (process.cpu_seconds() - before) / len(answers.accepted) * 1e6


async def _verify(bootstrap: str, loads: Sequence[Answers]) -> None:
    there = await counted(bootstrap, RAW.name, lambda record: b"%d" % (webhooks.number_in(record.value) or 0))
    missing = [number for load in loads for number in load.accepted if b"%d" % number not in there]
    if missing:
        raise PipelineError(f"{len(missing):,} webhooks were answered with 200 and are not on {RAW.name}")
