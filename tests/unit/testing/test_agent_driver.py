"""The driver of agents beside the handlers."""

from __future__ import annotations

from pipeline.testing import AgentDriver, HandlerDriver, incoming_text, outcome, outgoing_text
from tests.support import agents_for_tests as agents


def test_it_runs_an_agent_with_rows_and_ids_of_its_own() -> None:
    """A test would pass whose agent shares ids with the handler, and its sends would be lost in production."""
    driver, as_handler, event = (
        AgentDriver(agents.also_answers),
        HandlerDriver(agents.also_answers),
        incoming_text("hi"),
    )
    (beside,), (own,) = driver.handle(event), as_handler.handle(event)
    assert (beside.body, beside.command_id != own.command_id) == (own.body, True)
    assert driver.handle(event)[0].command_id == beside.command_id
    assert len(driver.sent) == 1


def test_it_takes_commands_and_outcomes() -> None:
    """Nobody could test an agent of theirs without Kafka."""
    driver, command = AgentDriver(agents.fates, "fates"), outgoing_text("hi", to="15550003333")
    for each in (outcome(of=command), outcome(of=command), outcome("failed", of=command, error_code=131026), command):
        driver.handle(each)
    table = driver.caches().create_table_cache()
    assert driver.run(table.get(agents.TABLE, "15550003333")) == {"accepted": 1, "failed": 1}
    assert [each.body["text"] for each in AgentDriver(agents.answers_everything).handle(command)] == ["Me too"]
