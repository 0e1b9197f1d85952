"""A number that is paused under load, over the death of its messenger, until it is resumed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka import admin
from pipeline.topics.commands import Command
from tests.faults.messenger_worker import Messenger, command, numbers_of, publish, tenant
from tests.integration.installation import PARTITIONS, TOPICS, pipeline, without_topics
from tests.support.cloud_api import CloudApi, cloud_api
from tests.support.stacks import eventually

pytestmark = [pytest.mark.integration, pytest.mark.faults]

BUSY, OTHER = numbers_of(1, count=2)
RATE = 20.0
"""Messages per second of both numbers: the load lasts longer than the commands that are given meanwhile."""
LOAD = 1_000
PEOPLE = 40


class Site:
    """Two numbers of one partition, their messenger, and who gives commands to it."""

    def __init__(self, kafka: Kafka, place: Path, api: CloudApi) -> None:
        self._kafka = kafka
        self._place = place
        self.api = api
        self.published: list[Command] = []
        self._tenants = [
            tenant("busy", BUSY, api.url, messages_per_second=RATE, pair="off"),
            tenant("other", OTHER, api.url, messages_per_second=RATE, pair="off"),
        ]
        self._file = place / "operator.yaml"
        self._file.write_text(yaml.safe_dump({"tenants": self._tenants}))

    def start(self) -> Messenger:
        settings = {"INSTANCE_ID": "one", "SESSION_TIMEOUT": 6, "MASK_KEY": "a key of masks for one test"}
        worker = Messenger(self._kafka, self._place, "data", self._tenants, **settings)
        worker.wait_ready()
        return worker

    def publish(self, account: str, count: int) -> None:
        """Publish commands of an account for people who take turns, whose ids sort in their order."""
        owner, first = {BUSY: "busy", OTHER: "other"}[account], len(self.published)
        made = [
            command(f"cmd-{owner}-{one:05}", owner, account, f"1555{account[-3:]}{one % PEOPLE:04}")
            for one in range(first, first + count)
        ]
        self.published += made
        publish(self._kafka.bootstrap, made)

    def wait_for_others(self, worker: Messenger, count: int) -> None:
        """Let so many more commands of the other number be sent."""
        wanted = self.api.count(OTHER) + count
        self.publish(OTHER, count)
        eventually(lambda: self.api.count(OTHER) >= wanted, lambda: worker.output)

    def operator(self, *arguments: str) -> str:
        """What a command of the operator prints."""
        settings = {"kafka": self._kafka.bootstrap, "partitions": PARTITIONS, "tenants": self._file}
        done = pipeline(*arguments, mask_key="a key of masks for one test", **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def is_complete(self) -> bool:
        """Whether each person got all messages, each once and in order."""
        expected: dict[str, list[str]] = {}
        for each in self.published:
            expected.setdefault(each.recipient, []).append(each.command_id)
        return self.api.by_recipient() == expected


@pytest.fixture
def site(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with without_topics(kafka.bootstrap), cloud_api() as api:
        asyncio.run(admin.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        yield Site(kafka, tmp_path, api)


def _facts(worker: Messenger) -> dict[str, Any]:
    (found,) = json.loads(worker.get(f"/accounts?account=cloud:{BUSY}")[1])["accounts"]
    assert isinstance(found, dict)
    return found


def test_a_pause_holds_under_load_survives_a_kill_and_loses_nothing(site: Site) -> None:
    """A number whose campaign is wrong would go on after the first crash, or its other messages would be lost."""
    busy = f"cloud:{BUSY}"
    site.publish(BUSY, LOAD)
    worker = site.start()
    try:
        site.wait_for_others(worker, 20)
        eventually(lambda: site.api.count(BUSY) >= 20, lambda: worker.output)
        assert site.operator("accounts", "pause", busy, "--reason", "wrong template", "--by", "jo") == (
            f"{busy} is paused\n"
        )
        eventually(lambda: _facts(worker)["paused"], lambda: worker.output)
        site.wait_for_others(worker, 5)  # what was in flight is at the provider by then
        sent = site.api.count(BUSY)
        assert sent < LOAD
        site.wait_for_others(worker, 40)
        assert site.api.count(BUSY) == sent
        eventually(lambda: not worker.unfinished("runnable", "loaded"), "nothing that more workers could send")

        worker.kill()
        worker = site.start()
        site.wait_for_others(worker, 40)
        assert site.api.count(BUSY) == sent, "the new process did not know of it before its first call"
        shown = json.loads(
            site.operator("accounts", "show", busy, "--json", "--workers", f"http://127.0.0.1:{worker.port}")
        )
        assert (shown["pause"]["by"], shown["pause"]["reason"]) == ("jo", "wrong template")
        (facts,) = shown["workers"].values()
        assert facts["topics"]["commands.interactive"]["held_seconds"] is not None
        listed = [json.loads(line) for line in site.operator("accounts", "list", "--paused", "--json").splitlines()]
        assert [each["account"] for each in listed] == [busy]

        site.operator("accounts", "limit", busy, "10000", "--reason", "the backlog", "--for", "1h")
        assert site.operator("accounts", "resume", busy) == f"{busy} goes on\n"
        eventually(lambda: site.api.count(BUSY) >= LOAD and not worker.unfinished(), lambda: worker.output)
        assert site.is_complete()
        assert _facts(worker)["messages_per_second"] == 10_000
    finally:
        worker.kill()
