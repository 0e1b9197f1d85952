"""The HTTP API at the door: who may send, what is refused, and what is published."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.errors import ConfigurationError
from pipeline.providers import PROVIDERS
from pipeline.providers.api import SEND_API
from pipeline.tenants import Tenants, TenantsFile, load_tenants
from pipeline.testing import TestRecord
from pipeline.testing.driver import TopologyTestDriver
from pipeline.topics import headers
from pipeline.topics.catalogue import SEEN
from pipeline.topics.commands import command_id
from pipeline.topics.events import APIMessageEvent, decode, validate
from pipeline.topics.records import Record, header
from tests.support.send_api import LIMIT, TEXT, USER, Caller, api, tenants


def run(test: Callable[[Caller], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with api(**options) as caller:
            await test(caller)

    asyncio.run(main())


def event_of(record: Record, tenant: str = "acme") -> APIMessageEvent:
    """What `parse` makes of it."""
    (wire,) = SEND_API.parse(TestRecord.of(record))
    event = validate(wire.body | {"tenant_id": tenant})
    assert isinstance(event, APIMessageEvent)
    assert (wire.event_id, wire.kind, wire.conversation) == (event.event_id, "api", event.conversation)
    return event


def test_a_send_is_one_record_that_becomes_its_event() -> None:
    """Another system would be told that something is sent which nobody will ever see."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.post(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        assert (status, answer["success"], answer["queued"], answer["error"]) == (200, True, True, None)
        (record,) = caller.publisher.records
        assert record.topic == "webhooks.raw"
        assert record.key == f"cloud:106:{USER}".encode()
        named = {name: header(record.headers, name) for name in (headers.PROVIDER, headers.TENANT, headers.ACCOUNT)}
        assert named == {"provider": "api", "tenant": "acme", "account": "106"}
        event = event_of(record)
        assert event.message_id == answer["message_id"] == answer["command_id"] == command_id(event.event_id, 0)
        assert (event.recipient, event.user_id, event.message_type, event.path) == (USER, USER, "text", TEXT)
        assert event.request_payload == {"recipient": USER, "text": "hi"}
        assert (event.inbox_id, event.platform, event.response_success) == ("106", "whatsapp", True)
        assert event.traceparent is not None and "0af7651916cd43dd" in event.traceparent
        assert b"acme-new" not in orjson.dumps([record.value.decode(), [str(each) for each in record.headers]])

    run(test)


@pytest.mark.parametrize("key", [None, "", "wrong", "acme-ne", "acme-newer", "\xe9"])
@pytest.mark.parametrize("inbox", ["106", "999", "nobody"])
def test_without_a_key_it_is_401_whoever_is_named(key: str | None, inbox: str) -> None:
    """Anybody could write to a tenant's customers, or find out who is a customer here."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.post(key=key, X_Inbox_ID=inbox)
        assert (status, answer) == (401, {"error": "bad or missing secret"})
        assert caller.publisher.records == []

    run(test)


@pytest.mark.parametrize("given", ["acme-new", "Basic acme-new", "Bearer", "Bearer acme-new, Bearer x"])
def test_only_a_bearer_token_opens(given: str) -> None:
    """A key that came by an accident of parsing would open a tenant's numbers."""

    async def test(caller: Caller) -> None:
        assert (await caller.post(key=None, Authorization=given))[0] == 401

    run(test)


def test_every_key_of_a_tenant_opens_while_one_is_rotated() -> None:
    """A shop would be locked out while its key is being changed."""

    async def test(caller: Caller) -> None:
        assert [(await caller.post(key=key))[0] for key in ("acme-old", "acme-new")] == [200, 200]

    run(test)


def test_a_key_may_be_in_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    """A company's keys would stand in its repository, or in whatever prints a tenant."""
    path = tmp_path / "tenants.yaml"
    path.write_text("tenants: [{id: acme, api_keys: ['env:SHOP_KEY']}]")
    tenants = load_tenants(path, {"SHOP_KEY": "s3cret"})
    found = tenants.keyholder("s3cret")
    assert found is not None and (found.id, "s3cret" in repr(found)) == ("acme", False)
    assert tenants.keyholder("") is tenants.keyholder("env:SHOP_KEY") is None


def test_two_tenants_with_one_key_are_refused() -> None:
    """One company's shop would write from another company's number."""
    content = {"tenants": [{"id": name, "api_keys": ["same"]} for name in ("acme", "globex")]}
    with pytest.raises(ConfigurationError, match="there twice"):
        Tenants(TenantsFile.model_validate(content))


@pytest.mark.parametrize("name", ["X-Wappa-Inbox-ID", "X-Inbox-ID", "x-inbox-id"])
def test_a_tenant_with_several_accounts_names_one(name: str) -> None:
    """A send would go out from whichever account comes first."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.post(key="globex-key")
        assert (status, answer["success"], answer["error_code"]) == (400, False, "VALIDATION")
        assert "X-Wappa-Inbox-ID" in answer["error"]
        for given in ("106", "cloud:106", "nobody"):
            assert (await caller.post(key="globex-key", **{name: given}))[0] == 400
        assert caller.publisher.records == []
        for given in ("waha-1", "wasender:wasender-1"):
            assert (await caller.post(key="globex-key", **{name: given}))[0] == 200
        keys = [record.key for record in caller.publisher.records]
        assert keys == [f"waha:waha-1:{USER}".encode(), f"wasender:wasender-1:{USER}".encode()]

    run(test)


def test_one_idempotency_key_is_one_event_of_its_tenant() -> None:
    """A caller that heard no answer and asks again would send twice; or one tenant's key would stop another's send."""

    async def test(caller: Caller) -> None:
        answers = [(await caller.post(Idempotency_Key="order 17"))[1]["message_id"] for _ in range(3)]
        others = [(await caller.post(Idempotency_Key=key))[1]["message_id"] for key in ("order 18", "x" * 255)]
        others += [(await caller.post())[1]["message_id"] for _ in range(2)]
        more = {"Idempotency_Key": "order 17", "X_Inbox_ID": "waha-1"}
        others.append((await caller.post(key="globex-key", **more))[1]["message_id"])
        assert len(set(answers)) == 1
        assert len({*answers, *others}) == 6
        records = caller.publisher.records
        assert len({event_of(record).event_id for record in records[:3]}) == 1
        assert not [record for record in records if b"order 17" in record.value]

    run(test)


def test_however_often_it_is_posted_one_event_is_on_the_lane() -> None:
    """A parcel would be announced five times."""

    async def test(caller: Caller) -> None:
        for _ in range(5):
            await caller.post(Idempotency_Key="order 17")
        await caller.post()
        driver = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(tenants()), tables=[SEEN])
        driver.pipe(*map(TestRecord.of, caller.publisher.records))
        assert [(record.topic, record.key) for record in driver.published] == [
            ("events.default", f"cloud:106:{USER}".encode())
        ] * 2
        event = decode(TestRecord.of(driver.published[0]))
        assert isinstance(event, APIMessageEvent)
        assert (event.tenant_id, header(driver.published[0].headers, headers.EVENT_TYPE)) == ("acme", "api")
        assert decode(TestRecord(event.to_json())) == event

    run(test)


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\there"])
def test_an_idempotency_key_that_can_not_be_one_is_400(key: str) -> None:
    """It would be taken for another one, or for none, and the send be doubled."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.post(Idempotency_Key=key)
        assert (status, answer["success"]) == (400, False)
        assert "Idempotency-Key" in answer["error"]
        assert caller.publisher.records == []

    run(test)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 400, "JSON"),
        (b"[]", 400, "JSON object"),
        (b"\xff", 400, "JSON"),
        ({}, 422, "recipient"),
        ({"recipient": "", "text": "hi"}, 422, "recipient"),
        ({"recipient": 1, "text": "hi"}, 422, "recipient"),
        ({"recipient": "1" * 257, "text": "hi"}, 422, "recipient"),
        ({"recipient": USER}, 422, "text"),
        ({"recipient": USER, "text": ""}, 422, "0 characters"),
        ({"recipient": USER, "text": "x" * 4097}, 422, "4097 characters"),
        ({"recipient": USER, "text": 7}, 422, "text"),
        ({"recipient": USER, "text": "hi", "disable_previw": True}, 422, "disable_previw"),
        ({"recipient": USER, "text": "hi", "disable_preview": "yes"}, 422, "disable_preview"),
        ({"recipient": USER, "text": "hi", "reply_to_message_id": 5}, 422, "reply_to_message_id"),
        ({"recipient": USER, "text": "hi", "priority": "urgent"}, 422, "priority"),
        ({"recipient": USER, "text": "hi", "expires_in": 0}, 422, "expires_in"),
        ({"recipient": USER, "text": "hi", "expires_in": "1h"}, 422, "expires_in"),
    ],
)
def test_what_can_not_be_sent_is_refused_with_its_reason(body: object, status: int, told: str) -> None:
    """The caller would hear nothing of its mistake before a customer complains."""

    async def test(caller: Caller) -> None:
        found, answer = await caller.post(body=body)
        assert (found, answer["success"], answer["message_id"]) == (status, False, None)
        assert told in answer["error"] and "\n" not in answer["error"]
        assert caller.publisher.records == []

    run(test)


def test_what_the_accounts_provider_can_not_do_is_refused() -> None:
    """A template to a gateway would be queued, and fail when nobody looks any more."""

    async def test(caller: Caller) -> None:
        body = {"recipient": USER, "template_name": "hello", "category": "utility"}
        status, answer = await caller.post("templates/send-text", body, "globex-key", X_Inbox_ID="waha-1")
        assert (status, answer["error_code"]) == (422, "UNSUPPORTED")
        assert caller.publisher.records == []

    run(test)


@pytest.mark.parametrize("path", ["/etc/passwd", "photo.jpg", "../x/y", "C:\\photo.jpg", "file:///etc/passwd"])
def test_a_path_is_no_medium(path: str) -> None:
    """Whoever has a key could have files of our machines sent to himself."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.post("media/send-document", {"recipient": USER, "media_source": path})
        assert (status, answer["error_code"]) == (422, "NO_MEDIA_ID")
        assert caller.publisher.records == []

    run(test)


def test_a_read_mark_names_a_message_and_to_gateways_its_chat() -> None:
    """Wappa's body names nobody; a gateway could only guess the chat."""

    async def test(caller: Caller) -> None:
        read = {"message_id": "wamid.1", "typing": True}
        assert (await caller.post("messages/mark-as-read", read))[0] == 200
        assert caller.publisher.records[0].key == b"cloud:106"
        at = {"key": "globex-key", "X_Inbox_ID": "waha-1"}
        assert (await caller.post("messages/mark-as-read", read, **at))[0] == 422
        assert (await caller.post("messages/mark-as-read", read | {"recipient": f"{USER}@c.us"}, **at))[0] == 200
        assert caller.publisher.records[1].key == f"waha:waha-1:{USER}".encode()

    run(test)


def test_without_a_broker_it_is_503_and_says_when_to_come_back() -> None:
    """The caller would think that the message is on its way."""

    async def test(caller: Caller) -> None:
        caller.publisher.away = True
        assert (await caller.post())[0] == 503
        assert int(caller.headers["Retry-After"]) > 0

    run(test)


def test_it_is_counted_and_timed_like_a_webhook() -> None:
    """Nobody would see that sends of other systems are refused, or slow."""

    async def test(caller: Caller) -> None:
        before = await _metrics(caller)
        assert [(await caller.post())[0], (await caller.post(key="wrong"))[0]] == [200, 401]
        after = await _metrics(caller)
        grown = {name for name, value in after.items() if value == before.get(name, 0) + 1}
        assert grown >= {
            'pipeline_webhooks_total{answer="200",provider="api"}',
            'pipeline_webhooks_total{answer="401",provider="api"}',
            'pipeline_webhook_seconds_count{provider="api"}',
        }

    run(test)


async def _metrics(caller: Caller) -> dict[str, float]:
    async with caller.client.get("/metrics") as response:
        lines = [line for line in (await response.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_limits_are_those_of_webhooks() -> None:
    """One system with a key could fill the ingress' memory, and webhooks be refused."""

    async def test(caller: Caller) -> None:
        assert (await caller.post(body=b" " * (LIMIT + 1)))[0] == 413
        assert (await caller.post(Content_Type="text/plain"))[0] == 415
        assert caller.publisher.records == []

    run(test)

    async def full(caller: Caller) -> None:
        assert (await caller.post())[0] == 503

    run(full, max_in_flight=10)


@pytest.mark.parametrize("path", ["messages/send-nothing", "media/send-text", "nothing/at-all"])
def test_another_path_is_404(path: str) -> None:
    """A misspelt path would be taken and go nowhere."""

    async def test(caller: Caller) -> None:
        assert (await caller.post(path))[0] == 404

    run(test)


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"{}", b'{"event_id":"a","provider":1}', b'{"event_id":"api:a:b","path":"x"}']
)
def test_a_record_that_the_ingress_did_not_write_is_a_dead_letter_of_parse(value: bytes) -> None:
    """Intake would end over one record, for ever."""
    driver = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(tenants()), tables=[SEEN])
    driver.pipe(TestRecord(value, headers=((headers.PROVIDER, b"api"),)))
    (dead,) = driver.dead_letters
    assert dict(dead.headers)[headers.ERROR_TYPE] == b"InvalidRecord"
