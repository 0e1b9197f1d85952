"""What parsing costs is compared fairly, and stays within what is promised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from bench import webhooks
from bench.options import Options
from bench.parse import benchmark, bodies, peers
from bench.parse.floor import WEBHOOK
from bench.parse.ours import FLOOR, PARSED, handed_over, parsed

FORMS = pytest.mark.parametrize("make", [bodies.usual, bodies.identified])


@FORMS
def test_the_floor_and_the_pipeline_read_the_same_webhook(make: Callable[[int], bytes]) -> None:
    """The comparison would be between two different things."""
    body = make(7)
    message = WEBHOOK.validate_python(orjson.loads(body)).entry[0].changes[0].value.messages[0]
    (wire,) = parsed(body)
    (event,) = handed_over(body)
    assert message.text.body == wire.body["message"]["text"]["body"] == event.get_message_text()
    assert (wire.event_id.encode(), event.user.bsuid) == (webhooks.event_id(7), message.from_user_id)


def test_the_usual_webhook_is_as_large_as_it_says() -> None:
    """Figures for 670 bytes would be of another size."""
    assert {len(bodies.usual(number)) for number in range(0, 10_000, 999)} == {bodies.SIZE}


@FORMS
def test_parsing_costs_at_most_twice_the_floor(make: Callable[[int], bytes]) -> None:
    """A worker would spend its time on models that nobody has asked for yet."""
    made = [make(number) for number in range(200)]
    costs = benchmark.in_turns(made, 10)
    assert min(costs[PARSED]) <= 2 * min(costs[FLOOR])


def test_peers_that_can_not_be_had_are_left_out_with_a_line(tmp_path: Path) -> None:
    """A benchmark without the network would fail, or show figures of nothing."""
    told: list[str] = []
    assert peers.installed(str(tmp_path / "no-python"), tmp_path, told.append) == {}
    assert [line.split(":")[0] for line in told] == ["without wappa", "without pywa"]
    assert all(line.count("\n") == 0 for line in told)


def test_without_an_interpreter_for_them_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could measure the pipeline without installing two other frameworks."""
    monkeypatch.setattr(benchmark, "WEBHOOKS", 20)
    told: list[str] = []
    result = benchmark.parse(Options(rounds=1), told.append)
    assert [len(table.rows) for table in result.tables] == [4, 4]
    assert [line for line in told if "--peers" in line]
