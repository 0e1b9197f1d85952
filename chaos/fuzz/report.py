"""The report of a fuzz run: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

from chaos.fuzz.campaign import Run
from chaos.memory import Grown
from chaos.tables import Cells, memory_table, show_findings, table


def show(console: Console, run: Run, grown: Mapping[str, Grown]) -> None:
    """Print what was posted, where it has ended, and every finding."""
    columns = ("kind", "inputs", "answers", "marks", "in events", "in dead letters")
    console.print(table("What was posted, and where it has ended", columns, _kinds(run)))
    console.print(table("Dead letters", ("stage", "error", "letters"), _reasons(run)))
    console.print(memory_table(grown))
    for name, lines in run.verdict.findings().items():
        show_findings(console, name.replace("_", " "), lines)
    verdict = "[green]Every input is accounted for.[/]" if run.verdict.good else "[red]Not good.[/]"
    console.print(f"{verdict} {run.door.posted} inputs, seed {run.seed}.", highlight=False)


def as_json(run: Run, grown: Mapping[str, Grown]) -> dict[str, Any]:
    """Return all of it."""
    names = ("kind", "inputs", "answers", "marks", "in_events", "in_dead_letters")
    return {
        "good": run.verdict.good,
        "seed": run.seed,
        "inputs": run.door.posted,
        "busy": run.door.busy,
        "events": run.traces.event_count,
        "kinds": [dict(zip(names, row, strict=True)) for row in _kinds(run)],
        "dead_letters": {f"{stage} {error}": count for (stage, error), count in run.traces.reasons.items()},
        "findings": run.verdict.findings(),
        "memory_mib": {name: each._asdict() for name, each in grown.items()},
    }


def _kinds(run: Run) -> Iterable[Cells]:
    door, traces = run.door, run.traces
    for kind in sorted({kind for kind, _ in door.answers}):
        answers = {answer: count for (of, answer), count in door.answers.items() if of == kind}
        marks = [mark for mark, of in door.taken.items() if of == kind]
        said = ", ".join(f"{count} x {answer}" for answer, count in sorted(answers.items()))
        events, letters = (sum(mark in found for mark in marks) for found in (traces.events, traces.letters))
        yield kind, str(sum(answers.values())), said, str(len(marks)), str(events), str(letters)


def _reasons(run: Run) -> Iterable[Cells]:
    for (stage, error), count in sorted(run.traces.reasons.items()):
        yield stage, error, str(count)
