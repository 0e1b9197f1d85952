"""The breakdown of our cost per event, part by part, beside the total."""

from __future__ import annotations

from collections.abc import Mapping

from bench.broker import PARTITIONS
from bench.candidate import Task, run, run_module
from bench.intake.candidates import OURS
from bench.lab import Lab
from bench.report import Table

PARTS: Mapping[str, str] = {
    "consume": "fetch, hand over, decode (by itself, with a stage that does nothing)",
    "parse": "JSON, envelope, who and what, ids, shape",
    "deduplicate": "look-up in RocksDB, mark",
    "route": "tenant, headers, JSON of the event",
    "build output batches": "with 8 headers each, checksums",
    "build changelog batches": "one mark an event",
    "write RocksDB": "one atomic batch a partition",
}
REST = "requests, acknowledgements, event loop, colder caches than when alone"


def breakdown(lab: Lab, records: int, whole: float) -> tuple[Table, dict[str, float]]:
    """Return the parts of `whole` µs of CPU per event, measured one by one; what is left has no part of its own."""
    task = Task(
        lab.bootstrap,
        OURS.source,
        records,
        PARTITIONS,
        str(lab.tenants("http://127.0.0.1:9")),
        str(lab.fresh("tables")),
    )
    costs = {"consume": run(lab, "bench.intake.consume", task).cost} | run_module(lab, "bench.intake.parts", task)
    costs["rest"] = whole - sum(costs.values())
    rows = [[name, f"{cost:.1f}", f"{cost / whole:.0%}", PARTS.get(name, REST)] for name, cost in costs.items()]
    rows.append(["whole", f"{whole:.1f}", "100%", "the median of the runs above"])
    return Table("where our CPU goes", ["part", "µs/event", "share", "what it is"], rows, texts=[3]), costs
