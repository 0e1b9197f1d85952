"""Agents beside the bot: one counts, one raises, one is slow. The count is to be exact, the bot as without them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from redis.asyncio import Redis

from chaos.accounts import NOISY, NUMBERS
from chaos.broker import records
from chaos.webhooks import Message
from pipeline.handlers import Effects, agent
from pipeline.state.keys import agent_space, table_key
from pipeline.topics.agents import agent_app
from pipeline.topics.catalogue import dead_letters
from pipeline.topics.events import MessageEvent

COUNTING: Final = "counting"
RAISING: Final = "raising"
SLOW: Final = "slow"
ENTRIES: Final = tuple({"id": name, "agent": f"chaos.beside.{name}"} for name in (COUNTING, RAISING, SLOW))
"""The agents as the tenants file names them."""
COUNTED: Final = agent_app(COUNTING)
"""The group that must come to rest. The others are behind for ever, which is nobody's business but theirs."""
TABLE: Final = "beside"
SLOW_SECONDS: Final = 5.0

Person = tuple[str, str]
"""A tenant and a phone number."""


@agent(MessageEvent)
async def counting(event: MessageEvent, effects: Effects) -> None:
    """Counts each person's messages, whatever they do to a handler."""
    await effects.tables.increment_field(TABLE, event.user.user_id, "messages")


@agent(MessageEvent)
async def raising(event: MessageEvent, effects: Effects) -> None:
    """Fails for every message, when everything else is done."""
    await effects.tables.increment_field(TABLE, event.user.user_id, "messages")
    await effects.messenger.send_text("never", event.user.user_id)
    raise RuntimeError("this agent always raises")


@agent(MessageEvent)
async def slow(_event: MessageEvent, _effects: Effects) -> None:
    """Takes longer for each message than there is time."""
    await asyncio.sleep(SLOW_SECONDS)


async def counts(redis_url: str) -> dict[Person, int]:
    """Return how many messages of each person the agent has counted."""
    found: dict[Person, int] = {}
    async with Redis.from_url(redis_url) as client:
        for tenant in dict.fromkeys(number.tenant for number in (*NUMBERS, *NOISY)):
            pattern = table_key(agent_space(tenant, COUNTING), f"{TABLE}:*")
            async for key in client.scan_iter(pattern, count=1000):
                found[tenant, key.decode().rpartition(":")[2]] = int(await client.hget(key, "messages") or 0)
    return found


def miscounted(accepted: Iterable[Message], counted: Mapping[Person, int]) -> list[str]:
    """Return the people of whom another number of messages was counted than was taken, one line each."""
    taken = Counter((message.contact.number.tenant, message.contact.phone) for message in accepted)
    return [
        f"{':'.join(person)}: {taken[person]} messages, counted {counted.get(person, 0)}"
        for person in {**taken, **counted}
        if taken[person] != counted.get(person, 0)
    ]


async def untested_beside(bootstrap: str) -> list[str]:
    """Return what the agents did not do that they are there for, one line each."""
    letters = await records(bootstrap, [dead_letters(agent_app(RAISING)).name])
    return [] if letters else ["no record of the agent that raises became a dead letter"]
