"""The report of a run: a table for people, JSON for programs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any, Final

from rich.console import Console

from chaos.campaign import Run
from chaos.neighbours import COLUMNS, all_waits, neighbours, parts, written
from chaos.plan import KILLS, Act
from chaos.stack import Death, Log, Stack
from chaos.tables import Cells, memory_table, show_findings, table

_TIMESTAMP: Final = re.compile(r"^\S+Z ")


def show(console: Console, run: Run, stack: Stack) -> None:
    """Print what was done, what was counted, and every finding."""
    log = stack.log
    acts = sorted({act for _, act in run.faults.done}, key=list(Act).index)
    console.print(table(f"What was done to {run.options.on}", ("target", *acts), _done(run, acts)))
    console.print(table("What came of it", ("", "count"), _counts(run, log)))
    if run.options.noisy:
        console.print(table("Neighbours", COLUMNS, (each.cells() for each in neighbours(run))))
    console.print(memory_table(stack.memory.grown()))
    for name, lines in run.verdict.findings().items():
        show_findings(console, name.replace("_", " "), lines)
    show_findings(console, "ended by itself", _own_ends(log))
    verdict = "[green]Every input had its effect, once and in order.[/]" if run.verdict.good else "[red]Not good.[/]"
    console.print(f"{verdict} Seed {run.options.seed}: the same again with --seed {run.options.seed}.", highlight=False)


def as_json(run: Run, stack: Stack) -> dict[str, Any]:
    """Return all of it."""
    log = stack.log
    return {
        "good": run.verdict.good,
        "options": asdict(run.options),
        "kills": run.faults.kills,
        "done": [{"target": target, "act": act, "times": n} for (target, act), n in sorted(run.faults.done.items())],
        "missed_kills": [fault._asdict() for fault in run.faults.missed],
        "figures": _figures(run),
        "neighbours": [each._asdict() for each in neighbours(run)] if run.options.noisy else [],
        "parked": run.observer.parked(),
        "tenant_breakers_opened": sorted(run.observer.broken),
        "answers": run.driver.answers,
        "findings": run.verdict.findings(),
        "seconds_to_ready": log.restarts,
        "memory_mib": {name: grown._asdict() for name, grown in stack.memory.grown().items()},
        "ended_by_themselves": [asdict(death) for death in log.deaths],
    }


def _done(run: Run, acts: Sequence[Act]) -> Iterable[Cells]:
    done = run.faults.done
    for target in sorted({target for target, _ in done}):
        yield (target, *(str(done[target, act] or "") for act in acts))
    yield ("all", *(str(sum(n for (_, each), n in done.items() if each is act) or "") for act in acts))


def _figures(run: Run) -> dict[str, Any]:
    accepted = [message for message in run.driver.accepted if not message.aside]
    return {
        "webhooks": run.driver.webhooks,
        "webhooks_again": run.driver.copies,
        "inputs": sum(not message.crashes for message in accepted),
        "asides": len(run.driver.accepted) - len(accepted),
        "crashers": sum(message.crashes for message in accepted),
        "effects": len(run.evidence.effects),
        "commands_with_outcome": len(run.evidence.outcomes),
        "drain_seconds": round(run.drained, 1),
        "effect_seconds": parts(all_waits(run)),
    }


def _counts(run: Run, log: Log) -> Iterable[Cells]:
    figures = _figures(run)
    yield "webhooks taken (200)", str(figures["webhooks"])
    yield "posted again, as platforms do", str(figures["webhooks_again"])
    yield (
        "posts answered otherwise or not at all",
        str(sum(n for said, n in run.driver.answers.items() if said != "200")),
    )
    yield "inputs: messages in them", str(figures["inputs"])
    yield "messages that are to be ignored", str(figures["asides"])
    yield "effects at the provider", str(figures["effects"])
    yield f"kills ({' and '.join(act.value for act in KILLS)})", str(run.faults.kills)
    yield "from 200 to the effect, s", written(figures["effect_seconds"])
    yield "to rest after the last fault, s", str(figures["drain_seconds"])
    yield "to be ready again, s (median)", _restarts(log)
    for name, lines in run.verdict.findings().items():
        yield name.replace("_", " "), f"[{'red' if lines else 'green'}]{len(lines)}[/]"


def _restarts(log: Log) -> str:
    again = {name: seconds[1:] for name, seconds in log.restarts.items() if len(seconds) > 1}
    return ", ".join(f"{name} {median(seconds):.1f}" for name, seconds in again.items())


def _own_ends(log: Log) -> list[str]:
    """Which services ended unasked, how often, and with what last words of ours."""
    ends = Counter(f"{death.name} {death.why}: {_last_words(death)}" for death in log.deaths)
    return [f"{end} ({times} times)" for end, times in ends.items()]


def _last_words(death: Death) -> str:
    ours = [line for line in death.lines if line.startswith("pipeline: ") or "[pipeline." in line]
    return _TIMESTAMP.sub("", ours[-1]) if ours else ""
