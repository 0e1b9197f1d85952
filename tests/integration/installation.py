"""The catalogue's topics on the shared broker, there from one test to its end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from pipeline.runtime.kafka import admin
from pipeline.tenants import SAMPLE
from pipeline.topics.catalogue import catalogue
from pipeline.topics.lifetimes import longest_lifetime, required_retention
from tests.support.waiting import HANG

ROOT = Path(__file__).parents[2]
PARTITIONS = 3
WEEK = timedelta(days=7)
KEPT = timedelta(seconds=required_retention(longest_lifetime({}, ())))
TOPICS = catalogue(["default"], dedup_ttl=WEEK, outcome_ttl=WEEK, command_retention=KEPT)
NAMES = [topic.name for topic in TOPICS]
KEYED = [topic.name for topic in TOPICS if topic.partitions is None]

Done = subprocess.CompletedProcess[str]


@contextmanager
def without_topics(bootstrap: str) -> Iterator[None]:
    """Removes the catalogue's topics before and after."""
    asyncio.run(delete(bootstrap, NAMES))
    yield
    asyncio.run(delete(bootstrap, NAMES))


async def delete(bootstrap: str, names: Iterable[str]) -> None:
    """Deletes those of `names` that exist, and waits until they are gone."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        await client.delete_topics(list(await admin.describe(bootstrap, names)))
    finally:
        await client.close()
    async with asyncio.timeout(HANG):
        while True:
            if not await admin.describe(bootstrap, names):
                return
            await asyncio.sleep(0.02)


def pipeline(*arguments: str, **settings: object) -> Done:
    """`python -m pipeline.cli …` on the sample, with these settings and no others: `kafka=…` is `PIPELINE_KAFKA`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    ours = {f"PIPELINE_{name.upper()}": str(value) for name, value in {"tenants": SAMPLE, **settings}.items()}
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        cwd=ROOT,
        env=clean | {"NO_COLOR": "1", "COLUMNS": "120"} | ours,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
