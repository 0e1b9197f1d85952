"""What a worker says of itself, and how it comes and goes, on a real Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from pipeline.local.kafka import Kafka
from tests.integration.runtime_client import Site, Worker, keys_of, site
from tests.support.stacks import eventually

IMPATIENT = {"PIPELINE_STUCK_AFTER": "5", "PIPELINE_HANDLER_TIMEOUT": "0.5"}


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def _stuck(worker: Worker) -> set[str]:
    status, body = worker.get("/healthz")
    found = orjson.loads(body)
    assert status == (503 if "stuck" in found else 200)
    return {place for places in found.get("stuck", {}).values() for place in places}


def test_a_partition_on_which_nothing_is_done_fails_liveness_and_one_that_waits_does_not(place: Site) -> None:
    """A worker that hangs would hold up its customers until somebody looks; one that waits for Redis would be ended."""
    (hangs, writes), (waits,) = keys_of(1, 2), keys_of(2, 1)
    go = str(place.path("go"))
    worker = place.ready("concurrent", **IMPATIENT)
    place.feed([(waits, {"id": "waits", "do": "back off", "until": go})])
    eventually(lambda: worker.metric("pipeline_retries_total", stage=place.name) > 3, "it is tried again")
    assert _stuck(worker) == set()
    place.feed([(hangs, {"id": "hangs", "do": "hold", "until": go})])
    eventually(lambda: _stuck(worker) == {f"{place.name}.in/1"}, "the hanging one is named")
    place.feed([(writes, {"id": "writes"})])
    place.wait_written(1)
    assert _stuck(worker) == {f"{place.name}.in/1"}, "it is still stuck when somebody else writes"
    place.path("go").touch()
    eventually(lambda: _stuck(worker) == set(), "it is well again")
    place.wait_committed()


def test_a_worker_is_ready_when_it_is_recovered_and_leaves_when_it_stops(place: Site) -> None:
    """Traffic would be moved to a worker that does nothing yet; what one had would stand still for a session."""
    worker = place.start("slow", SLOW_SEEK="1.5")
    worker.wait_for("Seek stream partitions to committed offsets")
    status, body = worker.get("/readyz")
    assert "Worker ready" not in worker.output
    assert (status, orjson.loads(body)) == (503, {"waiting": [place.name]})
    worker.wait_ready()
    assert place.members() == 1
    assert worker.terminate() == 0
    assert place.members() == 0

    static = place.ready("chained", PIPELINE_INSTANCE_ID="one")
    assert static.terminate() == 0
    assert place.members() == 1, "a static member keeps its place for its return"
