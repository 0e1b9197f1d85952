"""The floor of a send: an aiohttp loop that posts the bodies of commands and reads the answers, and nothing else.

`python -m bench.sends.bare TASK RESULT`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import uvloop
from aiohttp import ClientSession, TCPConnector

from bench import webhooks
from bench.candidate import Measured, Stopwatch, tune, write_result
from bench.commands import maker, somebody_else
from pipeline.providers.cloud.bodies import build_body
from pipeline.testing import TestRecord
from pipeline.topics.catalogue import COMMANDS_BULK
from pipeline.topics.codec import decode_command
from pipeline.topics.commands import Priority

VERSION: Final = "v23.0"


@dataclass(frozen=True, slots=True)
class Posts:
    """The task: post the commands from number `first` on to the sandbox at `url`, so many at once."""

    url: str
    first: int
    count: int
    at_once: int


def bodies(posts: Posts) -> Iterator[bytes]:
    """Yield the bodies that the messenger posts for these commands."""
    make = maker(priority=Priority.BULK, recipient=somebody_else)
    for number in range(posts.first, posts.first + posts.count):
        command = decode_command(TestRecord.of(make(number, COMMANDS_BULK.name)))
        yield orjson.dumps(build_body(command))


async def post(posts: Posts) -> Measured:
    """Post them all. Raise `RuntimeError` if one is not accepted."""
    waiting = iter(list(bodies(posts)))
    url = f"{posts.url}/{VERSION}/{webhooks.ACCOUNT}/messages"
    headers = {"Authorization": f"Bearer {webhooks.TOKEN}", "Content-Type": "application/json"}
    tune()
    async with ClientSession(connector=TCPConnector(limit=posts.at_once)) as session:

        async def keep_posting() -> None:
            for body in waiting:
                async with session.post(url, data=body, headers=headers) as response:
                    await response.read()
                    if response.status != 200:
                        raise RuntimeError(f"a message was answered with {response.status}")

        watch = Stopwatch()
        await asyncio.gather(*(keep_posting() for _ in range(posts.at_once)))
        return watch.stop(posts.count)


if __name__ == "__main__":
    task = Posts(**orjson.loads(Path(sys.argv[1]).read_bytes()))
    write_result(uvloop.run(post(task)))
