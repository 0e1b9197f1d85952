"""Chaos with agents beside the bot: what is done to them, and whose count is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chaos.accounts import NUMBERS
from chaos.beside import COUNTED, COUNTING, counting, miscounted, raising
from chaos.options import Options
from chaos.plan import AGENTS, KILLS, Act, plan, second
from chaos.stack import Stack
from chaos.webhooks import ASIDE, Contact, Message
from pipeline.testing import AgentDriver, incoming_text

LONG = Options(seconds=120)
ANA = Contact(NUMBERS[0], "15550000001")


def test_the_bot_has_the_faults_that_it_has_without_agents() -> None:
    """A slower bot could be put down to other kills, and a run with agents compared with nothing."""
    with_agents = plan(replace(LONG, agents=True))
    assert [fault for fault in with_agents if fault.target.removesuffix("-2") != AGENTS] == plan(LONG)
    own = [fault for fault in with_agents if fault.target == AGENTS]
    assert len(own) >= 6
    assert {fault.act for fault in own} <= set(KILLS)
    assert [f.act for f in with_agents if f.target == second(AGENTS)] == [Act.ADD, Act.REMOVE]


def test_the_counting_one_must_come_to_rest_and_the_others_need_not(tmp_path: Path) -> None:
    """The run would wait for ever for an agent that raises, or count before everything is counted."""
    stack = Stack(tmp_path, replace(LONG, agents=True))
    assert stack.groups[COUNTED] == ("events.default",)
    assert [group for group in stack.groups if group.startswith("agent-")] == [COUNTED]
    assert "agents" in stack._by_name
    assert "agents" not in Stack(tmp_path, LONG)._by_name


def test_every_message_counts_once_also_asides_and_those_that_crash_a_handler() -> None:
    """A lost or doubled count would pass."""
    taken = [Message(ANA, 0, "0"), Message(ANA, 1, f"1 {ASIDE}"), Message(ANA, 1, "1 !abort")]
    person = (ANA.number.tenant, ANA.phone)
    assert miscounted(taken, {person: 3}) == []
    assert miscounted(taken, {person: 4}) == [f"{':'.join(person)}: 3 messages, counted 4"]
    assert len(miscounted(taken, {})) == 1
    assert len(miscounted([], {person: 1})) == 1


def test_the_agents_do_what_they_are_there_for() -> None:
    """A run would prove nothing whose agents count nothing, or of which none raises."""
    driver = AgentDriver(counting, COUNTING)
    driver.handle(incoming_text("0", from_=ANA.phone), incoming_text("1", from_=ANA.phone))
    assert driver.run(driver.caches().create_table_cache().get("beside", ANA.phone)) == {"messages": 2}
    broken = AgentDriver(raising)
    try:
        broken.handle(incoming_text("0"))
    except RuntimeError:
        assert broken.sent == []
    else:
        raise AssertionError("it does not raise")
