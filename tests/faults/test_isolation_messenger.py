"""What one account does to the sends of another in its partition: nothing, and its own are complete afterwards."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest

from pipeline.local.kafka import Kafka
from pipeline.runtime.flows.in_flight import MAX_UNFINISHED
from pipeline.runtime.kafka import admin
from pipeline.topics.commands import Command, Priority
from tests.faults.messenger_worker import Messenger, command, numbers_of, publish, tenant
from tests.integration.installation import PARTITIONS, TOPICS, without_topics
from tests.integration.runtime_client import committed_offsets
from tests.support.cloud_api import CloudApi, cloud_api
from tests.support.ports import free_ports
from tests.support.stacks import eventually

pytestmark = pytest.mark.integration

PARTITION = 1
BUSY, OTHER = numbers_of(PARTITION, count=2)
FAST = 10_000.0
"""A limit in messages per second that stops nobody."""
WAITING = MAX_UNFINISHED + 100
PEOPLE = 50


class MessengerSite:
    """Two numbers of one partition, and the messenger that sends for both."""

    def __init__(self, kafka: Kafka, place: Path) -> None:
        self._kafka = kafka
        self._place = place

    @contextmanager
    def messenger(self, busy: str, other: str, rate: float = FAST) -> Iterator[Messenger]:
        """Run it with the URLs of the numbers' gateways, and the limit of both in messages per second."""
        tenants = [
            tenant("busy", BUSY, busy, messages_per_second=rate, pair="off"),
            tenant("other", OTHER, other, messages_per_second=rate, pair="off"),
        ]
        settings = {"INSTANCE_ID": "one", "RECONCILE_WINDOW": 1, "SESSION_TIMEOUT": 6}
        worker = Messenger(self._kafka, self._place, "data", tenants, **settings)
        try:
            worker.wait_ready()
            yield worker
        finally:
            worker.kill()

    def lose_volume(self) -> None:
        shutil.rmtree(self._place / "data")

    def publish(self, *commands: list[Command]) -> None:
        publish(self._kafka.bootstrap, chain(*commands))

    def committed(self) -> int:
        """Return the committed offset of the partition."""
        found = committed_offsets(self._kafka.bootstrap, "messenger", "commands.interactive")
        return asyncio.run(found).get(PARTITION, 0)


@pytest.fixture
def site(kafka: Kafka, tmp_path: Path) -> Iterator[MessengerSite]:
    """A site with empty topics."""
    with without_topics(kafka.bootstrap):
        asyncio.run(admin.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        yield MessengerSite(kafka, tmp_path)


def _commands(tenant_id: str, number: int, priority: Priority = Priority.INTERACTIVE) -> list[Command]:
    """Return commands whose ids sort in their order, for people who take turns."""
    account = {"busy": BUSY, "other": OTHER}[tenant_id]
    return [
        command(
            f"cmd-{tenant_id}-{one:05}", tenant_id, account, f"1555{account[-3:]}{one % PEOPLE:04}", priority=priority
        )
        for one in range(number)
    ]


def _is_complete(api: CloudApi, sent: list[Command]) -> bool:
    """Return True if each recipient got its commands once and in order, and nothing else."""
    expected: dict[str, list[str]] = {}
    for each in sent:
        expected.setdefault(each.recipient, []).append(each.command_id)
    return api.by_recipient() == expected


def test_a_number_that_is_away_delays_no_other_number(site: MessengerSite) -> None:
    """A healthy number would be silent for as long as another is away, whose messages would come back swapped."""
    waiting, others = _commands("busy", WAITING), _commands("other", 20)
    site.publish(waiting, others)
    with cloud_api() as api:
        api.away.add(BUSY)
        with site.messenger(api.url, api.url) as worker:
            eventually(lambda: api.count(OTHER) == len(others), lambda: worker.output)
            assert api.refused < 100, "the healthy number waits until the other one was tried"
            api.away.clear()
            eventually(
                lambda: api.count(BUSY) >= WAITING and not worker.unfinished(),
                lambda: f"{api.count(BUSY)} of what waited",
            )
        assert _is_complete(api, [*waiting, *others])


@pytest.mark.parametrize("keeps_volume", [True, False], ids=["a kill", "a lost volume"])
def test_what_waits_for_a_number_that_is_away_survives(site: MessengerSite, keeps_volume: bool) -> None:
    """A thousand answers would be lost with the machine that parked them, although their offsets are committed."""
    waiting, others = _commands("busy", WAITING), _commands("other", 20)
    site.publish(waiting, others)
    nobody = f"http://127.0.0.1:{free_ports()}"
    with cloud_api() as api:
        with site.messenger(nobody, api.url) as worker:
            eventually(lambda: api.count(OTHER) == len(others), lambda: worker.output)
            eventually(lambda: not worker.unfinished("runnable"), "the other number's outcomes")
            assert worker.metric("pipeline_deliveries_total", 'tenant="busy"', 'result="retryable"') < 100
            if keeps_volume:  # some are parked, and some arrive again
                eventually(lambda: worker.metric("pipeline_parked_total") >= WAITING // 3, "parked commands")
            else:
                eventually(lambda: site.committed() == WAITING + len(others), "offsets that go on")
        if not keeps_volume:
            site.lose_volume()
        with site.messenger(api.url, api.url) as worker:
            eventually(
                lambda: api.count(BUSY) >= WAITING and not worker.unfinished(),
                lambda: f"{api.count(BUSY)} of what waited",
            )
        # The other number's commands were finished behind unfinished ones, so they arrive again: they have outcomes.
        assert _is_complete(api, [*waiting, *others])


def test_a_tenant_with_a_backlog_at_its_limit_delays_no_other_tenant(site: MessengerSite) -> None:
    """An answer would take six minutes where it takes a second, because another tenant sends more than its limit."""
    flood, others = _commands("busy", 1_400), _commands("other", 1)
    site.publish(flood, others)
    with cloud_api() as api:
        with site.messenger(api.url, api.url, rate=1.0) as worker:
            eventually(lambda: api.count(OTHER) or api.count(BUSY) >= 50, lambda: worker.output)
            assert api.count(OTHER) == 1, "the other tenant's command waits behind the flood"
            assert worker.terminate() == 0
        with site.messenger(api.url, api.url) as worker:
            eventually(
                lambda: len(api.sent) > len(flood) and not worker.unfinished(), lambda: f"{len(api.sent)} of the flood"
            )
        assert _is_complete(api, [*flood, *others])


def test_campaigns_of_two_numbers_take_turns(site: MessengerSite) -> None:
    """A campaign would wait for hours, until another number's campaign is over."""
    first, second = _commands("busy", 3_000, Priority.BULK), _commands("other", 300, Priority.BULK)
    site.publish(first, second)
    with cloud_api() as api:
        with site.messenger(api.url, api.url, rate=30.0) as worker:
            eventually(lambda: api.count(OTHER) >= 100 or api.count(BUSY) >= 1_500, lambda: worker.output)
            assert worker.terminate() == 0
        accounts = [each.account for each in api.sent]
        assert OTHER in accounts, "the second campaign waits for the end of the first one"
        start = accounts.index(OTHER)
        assert accounts[start : start + 200].count(OTHER) >= 50, "they do not take turns"
        with site.messenger(api.url, api.url) as worker:
            total = len(first) + len(second)
            eventually(lambda: len(api.sent) >= total and not worker.unfinished(), lambda: f"{len(api.sent)} of both")
        assert _is_complete(api, [*first, *second])
