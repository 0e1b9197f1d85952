"""The report of a run of campaigns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console

from chaos.sends.run import Run
from chaos.stack import Stack
from chaos.tables import Cells, memory_table, show_findings, table

COLUMNS = ("number", "limit/s", "owned, s", "failed, s", "sent while owned", "of its allowance")


def show(console: Console, run: Run, stack: Stack) -> None:
    """Print what was done, what was counted, and every finding."""
    acts = sorted(run.faults.done.items())
    console.print(table("What was done", ("target", "act", "times"), ((n, str(act), str(t)) for (n, act), t in acts)))
    console.print(table("What each number used of its allowance", COLUMNS, _shares(run)))
    console.print(table("What came of it", ("", "count"), _counts(run, stack)))
    console.print(memory_table(stack.memory.grown()))
    for name, lines in findings(run).items():
        show_findings(console, name, lines)
    show_findings(console, "ended by itself", _own_ends(stack))
    verdict = "[green]Never over a limit, nothing twice, nothing missing.[/]" if run.good else "[red]Not good.[/]"
    console.print(f"{verdict} Seed {run.options.seed}: the same again with --seed {run.options.seed}.", highlight=False)


def as_json(run: Run, stack: Stack) -> dict[str, Any]:
    """Return all of it."""
    return {
        "good": run.good,
        "options": asdict(run.options),
        "done": [{"target": target, "act": act, "times": n} for (target, act), n in sorted(run.faults.done.items())],
        "faults": [{"at": at, **fault._asdict()} for at, fault in run.faults.times],
        "shares": [each._asdict() | {"used": each.used} for each in run.shares],
        "messages": run.messages,
        "effects": len(run.evidence.effects),
        "findings": findings(run),
        "drain_seconds": round(run.drained, 1),
        "seconds_to_ready": stack.log.restarts,
        "memory_mib": {name: grown._asdict() for name, grown in stack.memory.grown().items()},
        "ended_by_themselves": [asdict(death) for death in stack.log.deaths],
    }


def findings(run: Run) -> dict[str, list[str]]:
    found = {name: list(lines) for name, lines in run.verdict.findings().items() if name != "state"}
    return found | {"unused": list(run.unused)}


def _shares(run: Run) -> Iterable[Cells]:
    for each in run.shares:
        owned, failed = f"{each.owned:.1f}", f"{each.failed:.1f}"
        yield each.account, f"{each.rate:g}", owned, failed, f"{each.sent:,}", f"{each.used:.2%}"


def _counts(run: Run, stack: Stack) -> Iterable[Cells]:
    yield "commands", f"{run.messages:,}"
    yield "messages at the provider", f"{len(run.evidence.effects):,}"
    yield "to rest after the last fault, s", f"{run.drained:.1f}"
    for name, lines in findings(run).items():
        yield name.replace("_", " "), f"[{'red' if lines else 'green'}]{len(lines)}[/]"


def _own_ends(stack: Stack) -> list[str]:
    ends = Counter(f"{death.name} {death.why}" for death in stack.log.deaths)
    return [f"{end} ({times} times)" for end, times in ends.items()]
