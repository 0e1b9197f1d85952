"""What one user or tenant does to the answers of others in its partition: nothing, and its own are complete later."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipeline.local.kafka import Kafka
from pipeline.local.redis import RedisServer
from pipeline.runtime.kafka import admin
from tests.faults.handler_site import HandlerSite, Text, users
from tests.faults.messenger_worker import numbers_of
from tests.faults.obedient_handler import order
from tests.integration.installation import PARTITIONS, TOPICS, without_topics
from tests.support.observers import records
from tests.support.stacks import eventually
from tests.support.waiting import HANG

PARTITION = 1
"""All conversations are on it, and all answers."""
BUSY, OTHER = numbers_of(PARTITION, count=2)


@pytest.fixture
def site(kafka: Kafka, redis_server: RedisServer, tmp_path: Path) -> Iterator[HandlerSite]:
    """Two tenants whose names no other test has: Redis keeps what was counted for them."""
    run = uuid4().hex[:8]
    with without_topics(kafka.bootstrap):
        asyncio.run(admin.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        made = HandlerSite(kafka, redis_server, tmp_path, {f"busy-{run}": BUSY, f"other-{run}": OTHER})
        try:
            yield made
        finally:
            made.stop()


def _texts(number: str, conversations: int, each: int, **what: Any) -> list[Text]:
    """Return so many texts of each of so many users, who take turns."""
    people = list(islice(users(number, PARTITION), conversations))
    names = [(user, f"{user}-{turn}") for turn in range(each) for user in people]
    return [Text(number, user, name, order(name, **what)) for user, name in names]


def test_a_user_with_a_flood_of_texts_delays_no_other_user(site: HandlerSite, tmp_path: Path) -> None:
    """A customer would wait two minutes behind the 2,500 texts that somebody else has written to a slow hook."""
    go, (first, second) = tmp_path / "go", islice(users(BUSY, PARTITION), 2)
    flood = [Text(BUSY, first, f"{n}", order(f"{n}", "nap", go, seconds=0.05)) for n in range(2_500)]
    flood[99] = flood[99]._replace(order=order("99", "wait", go))
    other = Text(BUSY, second, "other", order("other"))
    site.post([*flood, other])
    worker = site.worker(HANDLER_TIMEOUT=2 * HANG)
    eventually(lambda: (BUSY, second, "other") in site.answers(), lambda: worker.output)
    answered = [answer.user for answer in site.answers()]
    assert answered.index(second) < 100, "the flood's 100th text is answered first"
    go.touch()
    eventually(lambda: site.count(BUSY) > len(flood) and not worker.unfinished(), lambda: f"{site.count(BUSY)} answers")
    assert site.is_complete([*flood, other])


def test_a_tenant_whose_hook_raises_delays_no_other_tenant(site: HandlerSite, tmp_path: Path, kafka: Kafka) -> None:
    """One tenant's bug would silence every tenant of its lane until somebody corrects it."""
    go, (tenant, _) = tmp_path / "go", site.numbers
    broken, others = _texts(BUSY, 150, 10, do="raise", go=go), _texts(OTHER, 20, 10)
    site.post(broken)
    site.post(others)
    worker = site.worker()
    eventually(lambda: site.count(OTHER) >= len(others), lambda: worker.output)
    assert site.count(BUSY) == 0
    status, body = worker.get("/readyz")
    assert status == 200, "no worker is to blame"
    failing = {"handlers-default": {"events.default": {tenant: "RuntimeError"}}}
    assert json.loads(body)["failing_tenants"] == failing
    eventually(lambda: worker.metric("pipeline_tenant_breaker_open", f'tenant="{tenant}"') == 1, "the tenant's metric")
    go.touch()
    eventually(
        lambda: site.count(BUSY) >= len(broken) and not worker.unfinished(), lambda: f"{site.count(BUSY)} answers"
    )
    assert site.is_complete([*broken, *others])
    eventually(lambda: json.loads(worker.get("/readyz")[1]) == {"status": "ok"}, "a closed breaker")
    assert records(kafka.bootstrap, "dead-letters.handle") == []


def test_a_tenant_with_a_backlog_of_many_conversations_delays_no_other_tenant(
    site: HandlerSite, tmp_path: Path
) -> None:
    """The customers of a light tenant would wait until a heavy tenant's whole backlog in their partition is handled."""
    go = tmp_path / "go"
    heavy, light = _texts(BUSY, 2_000, 2, do="nap", go=go, seconds=0.02), _texts(OTHER, 5, 1)
    heavy[1_400:] = [each._replace(order=order(each.answer, "wait", go)) for each in heavy[1_400:]]
    site.post(heavy)
    site.post(light)
    worker = site.worker(HANDLER_TIMEOUT=2 * HANG)
    eventually(lambda: site.count(OTHER) >= len(light), lambda: worker.output)
    assert site.count(BUSY) < 1_500, "they wait behind the heavy tenant's backlog"
    go.touch()
    eventually(
        lambda: site.count(BUSY) >= len(heavy) and not worker.unfinished(), lambda: f"{site.count(BUSY)} answers"
    )
    assert site.is_complete([*heavy, *light])
