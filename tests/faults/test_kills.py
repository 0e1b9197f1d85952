"""Workers die under load: every webhook still has exactly one effect, in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
import yaml

from tests.conftest import StackFactory
from tests.support.observers import get, post
from tests.support.stacks import ROOT, Stack, eventually
from tests.support.webhooks import change, signed, text, webhook

CONTACTS, EACH = 200, 10
TOTAL = CONTACTS * EACH
WORKERS = ("intake", "handlers", "messenger")


@pytest.fixture
def stack_without_limits(stack: StackFactory, tmp_path: Path) -> Stack:
    """The sample's tenants with a number that may send as fast as it can, so that kills meet work everywhere."""
    tenants = yaml.safe_load((ROOT / "examples/tenants.yaml").read_text())
    tenants["tenants"][0]["accounts"][0]["limits"] = {"messages_per_second": 1000, "pair": "off"}
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump(tenants))
    running = stack(env={"PIPELINE_TENANTS": str(path), "PIPELINE_RECONCILE_WINDOW": "10"})
    running.wait_ready()
    post(f"{running.sandbox_url}/_sandbox/faults", {"limits": {"messages_per_second": None}})
    return running


def test_each_worker_is_killed_under_load_and_every_webhook_gets_one_reply(stack_without_limits: Stack) -> None:
    """Without it, a crash would lose somebody's answer, send it twice, or send answers in the wrong order."""
    stack = stack_without_limits
    asyncio.run(_drive(stack))
    eventually(lambda: len(_replies(stack)) >= TOTAL, f"{TOTAL} replies")
    _idle(stack)
    by_contact: dict[str, list[str]] = defaultdict(list)
    for reply in _replies(stack):
        by_contact[reply["to"]].append(reply["body"]["body"])
    expected = {_contact(n): [f"You said: {step}" for step in range(EACH)] for n in range(CONTACTS)}
    assert by_contact == expected
    assert _counted(stack) == {_contact(n): EACH for n in range(CONTACTS)}
    assert all(stack.times_ready(name) == 2 for name in WORKERS), "each was killed once and came back"


async def _drive(stack: Stack) -> None:
    """Posts in order for each contact, and kills one worker after another while it does."""
    async with aiohttp.ClientSession() as session:
        for step in range(EACH):
            await asyncio.gather(*[_post(session, stack, _contact(n), step) for n in range(CONTACTS)])
            if step in (2, 5, 8):
                _kill_in_the_middle(stack, WORKERS[step // 3])


def _kill_in_the_middle(stack: Stack, name: str) -> None:
    stack.child(name).kill()


async def _post(session: aiohttp.ClientSession, stack: Stack, contact: str, step: int) -> None:
    body = webhook([change([text(contact, f"wamid.{contact}.{step}", str(step))])])
    async with session.post(f"{stack.ingress_url}/webhooks/cloud", data=body, headers=signed(body)) as response:
        assert response.status == 200


def _contact(number: int) -> str:
    return f"1555{number:07d}"


def _replies(stack: Stack) -> list[dict[str, Any]]:
    replies: list[dict[str, Any]] = get(f"{stack.sandbox_url}/_sandbox/sent")
    return replies


def _idle(stack: Stack) -> None:
    """Waits until nobody has anything in progress, so that a second reply would have been seen."""
    ports = (stack.ports.intake, stack.ports.handlers, stack.ports.messenger)
    eventually(lambda: all(stack.in_progress(port) == 0 for port in ports), "idle workers")


def _counted(stack: Stack) -> dict[str, int]:
    """How many messages the handler has counted for each user."""
    with redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        keys = [key for key in client.scan_iter("{acme}:user:*") if key.endswith(":echo")]
        return {key.split(":")[2]: int(client.hget(key, "messages") or 0) for key in keys}
