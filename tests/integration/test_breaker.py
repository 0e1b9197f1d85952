"""Flows on a real Kafka whose every record fails for a while: they stop taking in, and go on by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.local.kafka import Kafka
from tests.integration.runtime_client import Site, numbered, site
from tests.integration.runtime_worker import Order
from tests.support.stacks import eventually

AT_ONCE = {"PIPELINE_FAILURE_RUN": "1"}


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


@pytest.mark.parametrize("program", ["chained", "concurrent"])
def test_a_flow_stops_while_everything_fails_and_goes_on_without_a_dead_letter(place: Site, program: str) -> None:
    """A night without a database would end in a day of dead letters, or in a stage that nobody starts again."""
    cause = place.path("mended")
    failing: list[tuple[str, Order]] = [
        (key, {**order, "do": "break", "until": str(cause)}) for key, order in numbered(keys=10, each=4)
    ]
    worker = place.ready(program, **AT_ONCE)
    place.feed(failing)
    eventually(lambda: worker.get("/readyz")[0] == 503, "a worker that is not ready")
    assert f'"{place.name}.in": "RuntimeError"' in worker.get("/readyz")[1]
    assert worker.metric("pipeline_breaker_open", app=place.name) == 1
    assert worker.get("/healthz")[0] == 200, "a restart would not help"

    later: list[tuple[str, Order]] = [(f"later-{number}", {"id": f"later-{number}"}) for number in range(20)]
    place.feed(later)
    tries = worker.metric("pipeline_retries_total")
    eventually(lambda: worker.metric("pipeline_retries_total") > tries + 100, "many more tries than a record has")
    assert (place.written(), place.dead_letters()) == (0, [])

    cause.touch()
    place.wait_committed()
    assert sorted(place.ids()) == sorted(order["id"] for _, order in [*failing, *later])
    assert place.dead_letters() == []
    eventually(lambda: worker.ready, "a worker that is ready again")
    assert worker.metric("pipeline_breaker_open", app=place.name) == 0
    assert "circuit_breaker_opened" in worker.output
    assert "circuit_breaker_closed" in worker.output


@pytest.mark.parametrize("program", ["chained", "concurrent"])
def test_a_flood_of_garbage_stops_nothing(place: Site, program: str) -> None:
    """Whoever sends garbage would stop a stage that nothing is wrong with, for everybody and for good."""
    garbage: list[tuple[str, Order]] = [(key, {**order, "do": "poison"}) for key, order in numbered(keys=10, each=20)]
    place.feed([*garbage, ("good", {"id": "good"})])
    worker = place.ready(program, **AT_ONCE)
    place.wait_committed()
    assert (len(place.dead_letters()), place.ids()) == (len(garbage), ["good"])
    assert worker.ready


@pytest.mark.parametrize("program", ["chained", "concurrent"])
def test_a_stopped_flow_ends_when_told_to_and_leaves_its_records_to_the_next(place: Site, program: str) -> None:
    """A deployment that mends the cause would have to kill the worker, or lose what it kept in hand."""
    cause = place.path("mended")
    broken: list[tuple[str, Order]] = [
        (key, {**order, "do": "break", "until": str(cause)}) for key, order in numbered(keys=5, each=4)
    ]
    worker = place.ready(program, **AT_ONCE)
    place.feed(broken)
    eventually(lambda: worker.get("/readyz")[0] == 503, "a worker that is not ready")
    assert worker.terminate() == 0
    cause.touch()
    place.ready(program, **AT_ONCE)
    place.wait_committed()
    assert (sorted(place.ids()), place.dead_letters()) == (sorted(order["id"] for _, order in broken), [])
