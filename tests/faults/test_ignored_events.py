"""A form bot ignores texts until "start". Its worker is killed behind the start, before any offset is committed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

import aiohttp
import redis

from tests.conftest import StackFactory
from tests.support.observers import get
from tests.support.stacks import Stack, eventually
from tests.support.webhooks import change, signed, text, webhook

PEOPLE: Final = [f"1555{number:07d}" for number in range(20)]
ENV: Final = {
    "PIPELINE_HANDLER": "tests.support.handlers_for_tests.Form",
    "PIPELINE_COMMIT_INTERVAL": "3600",
    "PIPELINE_SESSION_TIMEOUT": "6",
}
"""No offset is committed before the kill, so that all that was handled is delivered again."""


def test_what_a_form_ignored_is_not_answered_after_a_crash(stack: StackFactory) -> None:
    """Everybody who said hello before "start" would get an answer to it, and a form with a wrong entry."""
    running = stack(env=ENV)
    running.wait_ready()
    _say(running, "hello", "start")
    eventually(lambda: len(_forms(running)) == len(PEOPLE), "every form is started")
    running.child("handlers").kill()
    eventually(lambda: running.times_ready("handlers") == 2, "the handlers are back")
    _say(running, "Ana")  # whoever is answered has had all that came before handled again
    eventually(lambda: len(_answers(running, "you said: Ana")) == len(PEOPLE), "every name is answered")
    assert _replies(running) == {person: ["you said: Ana"] for person in PEOPLE}
    assert _forms(running) == dict.fromkeys(PEOPLE, '["Ana"]')


def _say(running: Stack, *words: str) -> None:
    """Everybody says this, in order."""
    asyncio.run(_post(running, words))


async def _post(running: Stack, words: tuple[str, ...]) -> None:
    async with aiohttp.ClientSession() as session:
        for said in words:
            await asyncio.gather(*(_post_one(session, running, person, said) for person in PEOPLE))


async def _post_one(session: aiohttp.ClientSession, running: Stack, person: str, said: str) -> None:
    body = webhook([change([text(person, f"wamid.{person}.{said}", said)])])
    async with session.post(f"{running.ingress_url}/webhooks/cloud", data=body, headers=signed(body)) as response:
        assert response.status == 200


def _replies(running: Stack) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for reply in get(f"{running.sandbox_url}/_sandbox/sent"):
        found[reply["to"]].append(reply["body"]["body"])
    return found


def _answers(running: Stack, words: str) -> list[str]:
    return [person for person, said in _replies(running).items() if words in said]


def _forms(running: Stack) -> dict[str, str]:
    """What each person's form holds."""
    with redis.Redis.from_url(running.redis_url, decode_responses=True) as client:
        keys = [key for key in client.scan_iter("{acme}:state:*") if key.endswith(":form")]
        return {key.split(":")[2]: str(client.hget(key, "said")) for key in keys}
