"""Webhooks of gateways from the door to what is sent: who is answered, and how often.

Each conversation key has an intake of its own here, as if every key lay on another partition: what two of them have
seen, no table brings together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.handlers.echo import EchoHandler
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.ingress.records import IngressMetadata, RecordBuilder, webhook_id
from pipeline.providers import PROVIDERS
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import HandlerDriver, TestRecord, TopologyTestDriver
from pipeline.topics.catalogue import SEEN
from pipeline.topics.events import decode
from tests.support.gateway_webhooks import Json, case, request, text, webhook
from tests.support.wasender_webhooks import request as wasender_request

SESSIONS = {"waha": "initech-session", "wawp": "initech-session", "wasender": "globex-session"}


def _tenants(provider: str) -> Tenants:
    account = {"provider": provider, "id": SESSIONS[provider], "token": "t", "webhook_secrets": ["s3cret-of-webhooks"]}
    tenant = {"id": "shop" if provider == "wasender" else "initech", "accounts": [account]}
    return Tenants(TenantsFile.model_validate({"tenants": [tenant]}))


class Installation:
    """Ingress, intake and handlers of one gateway, in memory."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.tenants = _tenants(provider)
        self.handlers = HandlerDriver(EchoHandler())
        self.events: list[Any] = []
        self._intakes: dict[bytes | None, TopologyTestDriver] = {}

    def post(self, webhooks: Iterable[Json]) -> None:
        for content in webhooks:
            for record in self._records(orjson.dumps(content)):
                intake = self._intakes.setdefault(record.key, self._intake())
                found = [decode(TestRecord.of(each)) for each in intake.pipe(record)]
                self.events += found
                self.handlers.handle(*found)

    def _records(self, body: bytes) -> list[TestRecord]:
        ask = wasender_request if self.provider == "wasender" else None
        asked = ask(body, "s3cret-of-webhooks") if ask else request(self.provider, body, "s3cret-of-webhooks")
        assert PROVIDERS[self.provider].authenticate(asked, self.tenants)
        metadata = IngressMetadata(self.provider, asked.tenant_id, webhook_id(body), 1_767_268_800_500, b"trace")
        slices = PROVIDERS[self.provider].split(asked, self.tenants)
        return [TestRecord.of(each) for each in RecordBuilder(self.tenants).build(slices, metadata)]

    def _intake(self) -> TopologyTestDriver:
        return TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(self.tenants), tables=[SEEN])


def answers(provider: str, webhooks: Iterable[Json]) -> list[str]:
    """The texts that a bot sends which repeats what it reads."""
    installation = Installation(provider)
    installation.post(webhooks)
    return installation.handlers.texts


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("wasender", "wasender-placeholder-then-real"),
        ("waha", "waha-ciphertext-then-real"),
        ("wawp", "waha-ciphertext-then-real"),
    ],
)
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1, 1), (0, 1, 0, 1)])
def test_a_message_behind_its_placeholder_is_answered_once(provider: str, name: str, order: tuple[int, ...]) -> None:
    """A user would wait for ever, because what could not be decrypted at once counted as the message."""
    posted = case(name)
    (text,) = answers(provider, [posted[at] for at in order])
    assert "the real text" in text


@pytest.mark.parametrize("provider", ["waha", "wawp"])
def test_a_message_by_two_addresses_is_answered_once(provider: str) -> None:
    """A user would get two answers."""
    installation = Installation(provider)
    installation.post(case("waha-one-message-as-cus-and-lid"))
    assert len(installation.events) == len(installation.handlers.texts) == 1


@pytest.mark.parametrize("provider", ["waha", "wawp"])
def test_two_conversations_that_nothing_links_still_answer_once(provider: str) -> None:
    """Where an engine names the number in one form only, two partitions get the message, and neither knows the other.

    Both hand it on. It has one id, so its effects count once: the second handling finds those of the first.
    """
    told = {"session": SESSIONS[provider]}
    twins = [webhook("message", text(1, chat), id=f"evt_{chat}", **told) for chat in ("15550001111@c.us", "7@lid")]
    installation = Installation(provider)
    installation.post(twins)
    assert len({event.conversation for event in installation.events}) == len(installation.events) == 2
    assert len(installation.handlers.texts) == 1


@pytest.mark.parametrize(
    ("provider", "name", "kind"),
    [
        ("waha", "waha-service-notice", "unknown"),
        ("wawp", "waha-service-notice", "unknown"),
        ("wasender", "wasender-own-read-of-incoming", "unknown"),
    ],
)
def test_what_nobody_wrote_is_not_answered(provider: str, name: str, kind: str) -> None:
    """A bot would answer the platform, and count its own reading as an answer that was read."""
    installation = Installation(provider)
    installation.post(case(name))
    assert ([event.kind for event in installation.events], installation.handlers.texts) == ([kind], [])
