"""Agents beside a bot, on real Kafka and Redis: one raises, one is slow, some count; their worker is killed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
import yaml

from chaos.broker import lag, records
from pipeline.runtime.kafka.group_start import start_at_end
from pipeline.topics.dead_letters import DeadLetter, parse_dead_letter
from tests.conftest import StackFactory
from tests.support.agents_for_tests import TABLE
from tests.support.observers import get, post
from tests.support.stacks import ROOT, Stack, eventually
from tests.support.webhooks import change, signed, text, webhook

CONTACTS, EACH = 60, 10
TOTAL = CONTACTS * EACH
PATH = "tests.support.agents_for_tests."
AGENTS = {"counts": "counts", "picky": "picky", "raises": "raises", "slow": "slow", "fates": "fates", "totals": "plain"}
"""The agents by their ids. Some are behind for ever, which is nobody else's business."""


@pytest.fixture
def stack_with_agents(stack: StackFactory, tmp_path: Path) -> Stack:
    """The sample's tenants with agents beside the bot, and a number that may send as fast as it can."""
    content = yaml.safe_load((ROOT / "examples/tenants.yaml").read_text())
    content["tenants"][0]["accounts"][0]["limits"] = {"messages_per_second": 1000, "pair": "off"}
    content["agents"] = [{"id": name, "agent": PATH + function} for name, function in AGENTS.items()]
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump(content))
    running = stack(env={"PIPELINE_TENANTS": str(path), "PIPELINE_RECONCILE_WINDOW": "10"})
    running.wait_ready()
    post(f"{running.sandbox_url}/_sandbox/faults", {"limits": {"messages_per_second": None}})
    return running


def test_agents_that_raise_dawdle_and_die_leave_the_bot_alone_and_the_count_is_exact(
    stack_with_agents: Stack,
) -> None:
    """A tenant's answers would wait for somebody's CRM, or what is counted beside a bot would be a guess."""
    stack = stack_with_agents
    asyncio.run(_drive(stack))
    eventually(lambda: len(_replies(stack)) >= TOTAL, f"{TOTAL} replies")
    expected = {_contact(n): {"messages": EACH} for n in range(CONTACTS)}
    eventually(lambda: _rows(stack, "counts") == expected, lambda: f"an exact count: {_wrong(stack, expected)}")
    accepted = {_contact(n): 2 * EACH for n in range(CONTACTS)}  # of each answer, and of the read mark before it
    eventually(lambda: _accepted(stack) == accepted, lambda: f"each outcome once: {_accepted(stack)}")
    assert Counter(reply["to"] for reply in _replies(stack)) == {_contact(n): EACH for n in range(CONTACTS)}
    assert (stack.times_ready("agents"), stack.times_ready("handlers")) == (2, 1)
    assert _rows(stack, "raises") == {}, "what it wrote before it raised takes no effect"
    _check_the_plain_one(stack)
    assert set(_topology(stack)) == {f"agent-{name}" for name in AGENTS}
    assert {line.split()[0] for line in _cli(stack, "lag", "--app", "agent")[1:]} >= {f"agent-{n}" for n in AGENTS}
    _check_redriving(stack)
    asyncio.run(_check_a_late_one(stack))


def _check_redriving(stack: Stack) -> None:
    """The letters of an agent are found and redriven as all others, and reach nobody else."""
    counted = {_contact(n): {"messages": EACH - 1} for n in range(CONTACTS)}
    eventually(lambda: _rows(stack, "picky") == counted, "all that the picky one takes")
    assert any("agent-picky/" in line for line in _cli(stack, "dead-letters", "list"))
    assert _letters(stack) == {"dead-letters.agent-picky": CONTACTS}
    assert f"{CONTACTS} redriven" in _cli(stack, "dead-letters", "redrive", "--stage", "agent-picky")[-1]
    again = {"dead-letters.agent-picky": 2 * CONTACTS}
    eventually(lambda: _letters(stack) == again, lambda: f"each letter once more: {_letters(stack)}")
    groups = {"handlers-default": ["events.default"], "agent-counts": ["events.default"]}
    eventually(lambda: not any(asyncio.run(lag(stack.bootstrap, groups)).values()), "all redriven records are read")
    assert len(_replies(stack)) == TOTAL
    assert _rows(stack, "counts") == {_contact(n): {"messages": EACH} for n in range(CONTACTS)}


def _letters(stack: Stack) -> Counter[str]:
    """The dead letters by topic, without the decisions about them."""
    found = asyncio.run(records(stack.bootstrap, ["dead-letters.agent-picky", "dead-letters.handle"]))
    return Counter(each.topic for each in found if isinstance(parse_dead_letter(each), DeadLetter))


async def _check_a_late_one(stack: Stack) -> None:
    """A new agent begins with what comes from now on, and only then: a second start changes nothing."""
    late, events = {"agent-late": ["events.default"]}, ["events.default"]
    assert await start_at_end(stack.bootstrap, "agent-late", events) == events
    assert await lag(stack.bootstrap, late) == {"agent-late": 0}
    async with aiohttp.ClientSession() as session:
        await _post(session, stack, _contact(0), EACH)
    await asyncio.to_thread(eventually, lambda: asyncio.run(lag(stack.bootstrap, late))["agent-late"] > 0, "a record")
    assert await start_at_end(stack.bootstrap, "agent-late", events) == []
    assert (await lag(stack.bootstrap, late))["agent-late"] > 0, "the record is not skipped"


def _cli(stack: Stack, *arguments: str) -> list[str]:
    """What a command says about the stack."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    env = {**kept, "PIPELINE_DATA_DIR": str(stack.data_dir), "COLUMNS": "200"}
    argv = [sys.executable, "-m", "pipeline.cli", *arguments]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout.splitlines()


def _check_the_plain_one(stack: Stack) -> None:
    """It counts what it reads, at least once each: every message, and every status."""

    def total() -> int:
        found = asyncio.run(records(stack.bootstrap, ["agent-totals-totals-changelog"]))
        last = {record.partition: json.loads(record.value) for record in found if record.value}
        return sum(last.values())

    eventually(lambda: total() >= TOTAL, lambda: f"the plain agent has counted {total()} of {TOTAL}")


async def _drive(stack: Stack) -> None:
    """Posts in order for each contact, and kills the agents' worker in the middle."""
    async with aiohttp.ClientSession() as session:
        for step in range(EACH):
            await asyncio.gather(*[_post(session, stack, _contact(n), step) for n in range(CONTACTS)])
            if step == EACH // 2:
                await asyncio.to_thread(eventually, lambda: _rows(stack, "counts"), "a count that has begun")
                stack.child("agents").kill()


async def _post(session: aiohttp.ClientSession, stack: Stack, contact: str, step: int) -> None:
    body = webhook([change([text(contact, f"wamid.{contact}.{step}", str(step))])])
    async with session.post(f"{stack.ingress_url}/webhooks/cloud", data=body, headers=signed(body)) as response:
        assert response.status == 200


def _contact(number: int) -> str:
    return f"1555{number:07d}"


def _replies(stack: Stack) -> list[dict[str, Any]]:
    replies: list[dict[str, Any]] = get(f"{stack.sandbox_url}/_sandbox/sent")
    return replies


def _rows(stack: Stack, agent: str) -> dict[str, dict[str, int]]:
    """The agent's own rows of its table, by contact."""
    with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        names = list(client.scan_iter(f"{{acme%2F{agent}}}:table:{TABLE}:*", count=1000))
        rows = {name.rpartition(":")[2]: client.hgetall(name) for name in names}
    return {name: {field: int(value) for field, value in row.items() if field} for name, row in rows.items()}


def _accepted(stack: Stack) -> dict[str, int]:
    return {name: row.get("accepted", 0) for name, row in _rows(stack, "fates").items()}


def _wrong(stack: Stack, expected: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    found = _rows(stack, "counts")
    return {name: found.get(name, {}) for name in expected if found.get(name) != expected[name]}


def _topology(stack: Stack) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports.agents}/topology") as response:
        found: dict[str, Any] = json.loads(response.read())
    return found
