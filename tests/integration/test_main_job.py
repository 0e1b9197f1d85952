"""The main job on the whole stack: a signed webhook in, its replies at the provider, its statuses back."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.providers import PROVIDERS
from pipeline.state import open_store
from pipeline.state.buffer import BufferedRows
from pipeline.state.factory import CacheFactory
from pipeline.state.scope import CacheScope
from pipeline.testing import TestRecord
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.uploads import PIECE_BYTES
from tests.support.observers import get, post, records, request
from tests.support.ports import free_ports
from tests.support.provider_table import ARRIVALS
from tests.support.stacks import Stack, eventually
from tests.support.webhooks import NUMBER, change, signed, status, text, webhook

pytestmark = pytest.mark.integration
_numbers = count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """One stack for all tests of this file; each uses contacts of its own."""
    with tempfile.TemporaryDirectory() as place:
        handler = {"PIPELINE_HANDLER": "tests.support.api_clerk.ApiClerk"}
        stack = Stack(free_ports(), Path(place, "data"), Path(place, "up.out"), (), handler)
        try:
            stack.wait_ready()
            yield stack
        finally:
            stack.stop()


@pytest.fixture
def contact() -> str:
    return f"1555{next(_numbers):07d}"


def _sent(stack: Stack, *contacts: str) -> list[dict[str, Any]]:
    return [message for message in get(f"{stack.sandbox_url}/_sandbox/sent") if message["to"] in contacts]


def _post(stack: Stack, body: bytes, **headers: str) -> int:
    return request(f"{stack.ingress_url}/webhooks/cloud", body, headers or signed(body))


def test_a_batch_gets_exactly_its_replies_in_order_and_its_redeliveries_none(running: Stack, contact: str) -> None:
    """Without it, the second message of a batch would be lost, or a retry of the platform answered twice."""
    other = contact.replace("1555", "1666")
    body = webhook(
        [change([text(contact, f"wamid.{contact}.1", "one"), text(other, f"wamid.{other}.1", "uno")])],
        [
            change([text(contact, f"wamid.{contact}.2", "two")]),
            change(statuses=[status(contact, "wamid.OUT1"), status(other, "wamid.OUT2", "read")]),
        ],
    )
    assert _post(running, body) == 200
    eventually(lambda: len(_sent(running, contact, other)) == 3, "three replies")
    for _ in range(5):
        assert _post(running, body) == 200
    last = contact.replace("1555", "1777")  # goes behind the redeliveries on a partition of its own or theirs
    assert _post(running, webhook([change([text(last, f"wamid.{last}", "last")])])) == 200
    eventually(lambda: _sent(running, last), "the reply to what came last")
    _drained(running)
    replies = [(message["to"], message["body"]["body"]) for message in _sent(running, contact, other)]
    assert sorted(replies) == sorted([(contact, "You said: one"), (contact, "You said: two"), (other, "You said: uno")])
    assert [reply for to, reply in replies if to == contact] == ["You said: one", "You said: two"]


@pytest.mark.parametrize("kind", ["forged", "unsigned", "truncated"])
def test_what_is_not_authentic_gets_401_and_leaves_no_record(running: Stack, contact: str, kind: str) -> None:
    """Without it, anybody could make a business answer strangers."""
    body = webhook([change([text(contact, f"wamid.{contact}", "forged")])])
    headers = {
        "forged": signed(body, b"another-secret"),
        "unsigned": {"Content-Type": "application/json"},
        "truncated": signed(body),
    }[kind]
    sent = body[:-10] if kind == "truncated" else body
    assert _post(running, sent, **headers) == 401
    assert not [record for record in records(running.bootstrap, "webhooks.raw") if contact.encode() in record.value]


def test_authentic_bytes_that_are_not_json_are_one_dead_letter(running: Stack) -> None:
    """Without it, what a provider sent in error would be gone, or be retried by it for a week."""
    body = b'{"object": "whatsapp_business_account", "entry": [\xff'
    assert _post(running, body) == 200
    eventually(lambda: records(running.bootstrap, "dead-letters.parse"), "a dead letter")
    (dead,) = records(running.bootstrap, "dead-letters.parse")
    assert dead.value == body
    named = {name: value.decode() for name, value in dead.headers}
    raw = next(record for record in records(running.bootstrap, "webhooks.raw") if record.value == body)
    assert {name: value.decode() for name, value in raw.headers}.items() <= named.items()
    assert (named["origin-topic"], named["origin-partition"]) == ("webhooks.raw", str(raw.partition))
    assert (named["origin-offset"], named["stage"], named["attempts"]) == (str(raw.offset), "parse", "1")
    assert named["error-type"] == "InvalidRecord"


def test_an_account_that_nobody_owns_is_a_dead_letter_of_route(running: Stack, contact: str) -> None:
    """Without it, the messages of a tenant that is configured too late would be gone."""
    body = webhook([change([text(contact, f"wamid.{contact}", "early")])]).replace(b"106540352242922", b"999")
    assert (
        _post(running, body.replace(b"102290129340398", b"888"), **signed(body.replace(b"102290129340398", b"888")))
        == 200
    )
    eventually(lambda: records(running.bootstrap, "dead-letters.route"), "a dead letter")
    (dead,) = records(running.bootstrap, "dead-letters.route")
    assert dict(dead.headers)["error-type"] == b"UnknownTenant"


def test_a_send_of_another_system_is_one_message_behind_the_answer_before_it(running: Stack, contact: str) -> None:
    """A parcel would be announced five times, or before the question about it is answered."""
    url = f"{running.ingress_url}/api/whatsapp/messages/send-text"
    headers = {"Authorization": "Bearer sandbox-api-key", "Idempotency-Key": contact}
    body = {"recipient": f"+{contact}", "text": "Your parcel is on its way."}
    assert _post(running, webhook([change([text(contact, f"wamid.{contact}", "where?")])])) == 200
    answers = [post(url, body, headers) for _ in range(5)]
    (command,) = {answer["message_id"] for answer in answers}
    eventually(lambda: len(_sent(running, contact)) >= 2, "the reply and the send")
    assert _post(running, webhook([change([text(contact, f"wamid.{contact}.2", "thanks")])])) == 200
    eventually(lambda: len(_sent(running, contact)) >= 3, "the reply to what came last")
    _drained(running)
    said = [(message["body"]["body"], message["command_id"] == command) for message in _sent(running, contact)]
    assert said == [("You said: where?", False), ("Your parcel is on its way.", True), ("You said: thanks", False)]
    assert asyncio.run(_row(running, contact, "sends")) == {"count": 1, "last": "text"}
    assert not _published(running, b"sandbox-api-key")


def test_a_picture_by_http_reaches_the_provider_as_it_was_sent_and_once(running: Stack, contact: str) -> None:
    """A customer would get a torn picture, or three; and a caller hear 200 for a send that never happens."""
    url = f"{running.ingress_url}/api/whatsapp/media/send-image"
    picture = b"\xff\xd8\xff\xe0" + contact.encode() * 120_000
    headers = {"Authorization": "Bearer sandbox-api-key", "Idempotency-Key": f"picture-{contact}"}
    headers["Content-Type"] = "multipart/form-data; boundary=edge"

    def form(content: bytes) -> bytes:
        head = "--edge\r\nContent-Disposition: form-data; name="
        field = f"{head}recipient\r\n\r\n{contact}\r\n{head}media_source; filename=a.jpg\r\n\r\n"
        return field.encode() + content + b"\r\n--edge--\r\n"

    assert [request(url, form(picture), headers) for _ in range(3)] == [200] * 3
    assert request(url, form(picture + b"!"), headers) == 409
    eventually(lambda: _sent(running, contact), "the picture")
    _drained(running)
    (message,) = _sent(running, contact)
    media = get(f"{running.sandbox_url}/_sandbox/media")
    (stored,) = [each for each in media if each["sha256"] == hashlib.sha256(picture).hexdigest()]
    assert (message["type"], message["body"]["id"]) == ("image", stored["media_id"])
    pieces = [record for record in records(running.bootstrap, "uploads") if contact.encode() * 3 in record.value]
    assert [len(piece.value) for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, len(picture) - 2 * PIECE_BYTES]


def test_outcome_and_statuses_of_a_reply_carry_its_command(running: Stack, contact: str) -> None:
    """Without it, nobody could tell which status belongs to which reply."""
    assert _post(running, webhook([change([text(contact, f"wamid.{contact}", "hi")])])) == 200
    eventually(lambda: _sent(running, contact), "a reply")
    (reply,) = _sent(running, contact)

    def statuses() -> set[str]:
        found = [orjson.loads(record.value) for record in records(running.bootstrap, "events.default")]
        return {event["status"] for event in found if event.get("business_opaque_data") == reply["command_id"]}

    eventually(lambda: statuses() == {"sent", "delivered", "read"}, "three statuses")

    def outcomes() -> list[tuple[str, str]]:
        found = [orjson.loads(record.value) for record in records(running.bootstrap, "commands.outcomes")]
        return [(each["status"], each["message_id"]) for each in found if each["command_id"] == reply["command_id"]]

    eventually(lambda: len(outcomes()) == 3, lambda: f"three outcomes: {outcomes()}")
    assert outcomes() == [(status, reply["message_id"]) for status in ("accepted", "delivered", "read")]


def test_who_says_stop_gets_no_campaign(running: Stack, contact: str) -> None:
    """A person who declined would get the next campaign, and report the number."""
    wish = {"wa_id": contact, "category": "marketing_messages", "value": "stop", "timestamp": 1_760_000_000}
    declined = {"field": "user_preferences", "value": change()["value"] | {"user_preferences": [wish]}}
    assert _post(running, webhook([declined])) == 200
    known = f"cloud:{NUMBER}:{contact}".encode()
    eventually(
        lambda: known in {row.key for row in records(running.bootstrap, "messenger-contacts-changelog")}, "the wish"
    )
    url = f"{running.ingress_url}/api/whatsapp/messages/send-text"
    body = {"recipient": contact, "text": "Autumn teas?", "priority": "bulk", "campaign": "autumn"}
    refused = post(url, body, {"Authorization": "Bearer sandbox-api-key"})["message_id"]

    def outcomes() -> list[tuple[str, str | None, str | None]]:
        found = [orjson.loads(record.value) for record in records(running.bootstrap, "commands.outcomes")]
        mine = [each for each in found if each["command_id"] == refused]
        return [(each["status"], each.get("reason"), each.get("campaign")) for each in mine]

    eventually(outcomes, "an outcome")
    assert outcomes() == [("failed", "opted_out", "autumn")]
    assert not _sent(running, contact)


@pytest.mark.parametrize(("provider", "text"), [("wawp", "message"), ("waha", "text")])
def test_a_gateways_message_is_answered_in_its_own_form(running: Stack, contact: str, provider: str, text: str) -> None:
    """Without it, a handler would work with one provider only."""
    message = {"provider": provider, "from": contact, "text": "hi", "id": f"false_{contact}@c.us_A", "repeat": 3}
    assert post(f"{running.sandbox_url}/_sandbox/receive", message)["status"] == 200
    eventually(lambda: _sent(running, contact), "a reply")
    _drained(running)
    (reply,) = _sent(running, contact)
    assert (reply["provider"], reply["body"]["chatId"]) == (provider, f"{contact}@c.us")
    assert (reply["body"][text], reply["body"]["reply_to"]) == ("You said: hi", message["id"])

    def statuses() -> set[str]:
        found = [orjson.loads(record.value) for record in records(running.bootstrap, "events.default")]
        return {event["status"] for event in found if event.get("message_id") == reply["message_id"]}

    eventually(lambda: statuses() == {"sent", "delivered", "read"}, "three statuses")
    secrets = (b"sandbox-wawp-secret", b"sandbox-waha-secret", b"sandbox-wawp-token", b"sandbox-waha-key")
    assert not _published(running, *secrets)


def test_wasenders_message_is_answered_in_its_own_form(running: Stack, contact: str) -> None:
    """Without it, a tenant's API key, which the provider writes into every webhook, would be on every topic."""
    message = {"provider": "wasender", "from": contact, "text": "hi", "id": f"3EB0{contact}", "repeat": 3}
    assert post(f"{running.sandbox_url}/_sandbox/receive", message)["status"] == 200
    eventually(lambda: _sent(running, contact), "a reply")
    _drained(running)
    (reply,) = _sent(running, contact)
    assert (reply["provider"], reply["account"], reply["body"]) == (
        "wasender",
        "globex-session",
        {"text": "You said: hi"},
    )

    def told() -> list[Any]:
        found = [orjson.loads(record.value) for record in records(running.bootstrap, "events.default")]
        return [event for event in found if event.get("contact") == contact and event["kind"] == "status"]

    eventually(lambda: {event["status"] for event in told()} == {"sent", "delivered", "read"}, "three statuses")
    assert [event["msg_id"] for event in told() if event["status"] == "sent"] == [reply["message_id"]]
    assert not _published(running, b"sandbox-wasender-key", b"sandbox-wasender-secret")


@pytest.mark.parametrize(
    "path",
    ["wasender/globex", "wawp/initech", "wawp/initech?secret=guessed", "waha/initech", "wawp/acme?secret=x"],
)
def test_a_gateways_door_is_closed_without_its_secret(running: Stack, path: str) -> None:
    """Without it, anybody could write to a business in the name of its customers."""
    body = orjson.dumps({"event": "message", "session": "initech-instance", "payload": {}})
    status = request(f"{running.ingress_url}/webhooks/{path}", body, {"Content-Type": "application/json"})
    assert status == 401


def test_no_limit_was_broken(running: Stack) -> None:
    """Without it, a number would be throttled or banned by its provider."""
    assert get(f"{running.sandbox_url}/_sandbox/violations") == []


async def _row(stack: Stack, user_id: str, key: str) -> Any:
    """A row of a user's cache, as a handler sees it."""
    store = open_store("redis", stack.redis_url, stack.data_dir)
    try:
        caches = CacheFactory(lambda: CacheScope(BufferedRows(store), "acme", user_id))
        return await caches.create_user_cache().get(key)
    finally:
        await store.close()


def _published(stack: Stack, *secrets: bytes) -> list[str]:
    """The topics on which one of the secrets stands."""
    found = []
    for topic in ("webhooks.raw", "events.default", "commands.interactive", "commands.outcomes"):
        kept = b"".join(record.value + repr(record.headers).encode() for record in records(stack.bootstrap, topic))
        found += [topic for secret in secrets if secret in kept]
    return found


def _drained(stack: Stack) -> None:
    """Waits until nothing is in progress in any worker."""
    ports = (stack.ports.intake, stack.ports.handlers, stack.ports.messenger)
    eventually(lambda: all(stack.in_progress(port) == 0 for port in ports), "idle workers")


DOORS: dict[str, Callable[[bytes], tuple[str, dict[str, str]]]] = {
    "cloud": lambda body: ("cloud", signed(body)),
    "wasender": lambda _: ("wasender/globex", {"X-Webhook-Signature": "sandbox-wasender-secret"}),
    "wawp": lambda _: ("wawp/initech?secret=sandbox-wawp-secret", {}),
    "waha": lambda body: (
        "waha/initech",
        {"X-Webhook-Hmac": hmac.digest(b"sandbox-waha-secret", body, "sha512").hex()},
    ),
}
OURS = {
    b"100200300400500": b"106540352242922",
    b"100200300400501": b"106540352242922",
    b'"123456789"': b'"106540352242922"',
    b"900800700600500": b"102290129340398",
    b"900800700600501": b"102290129340398",
    b"987654321": b"102290129340398",
    b"INSTANCE_ID": b"initech-instance",
    b"your_instance_id": b"initech-instance",
    b'"session":"default"': b'"session":"initech-session"',
}
"""The accounts of the documents' examples, and those of the sample's tenants."""


def test_every_documented_webhook_becomes_its_events_once(running: Stack) -> None:
    """Without it, a webhook that a provider documents would be refused, lost or doubled on its way."""
    arrivals = [(name, _ours(each.body)) for name, found in ARRIVALS.items() for each in found()]
    expected = {(name, kind) for name, body in arrivals for kind in _event_types(name, body)}
    for _ in range(2):
        assert [_knock(running, name, body) for name, body in arrivals] == [200] * len(arrivals)
    marks = [f"1999{number:07d}" for number in range(64)]
    assert _post(running, webhook([change(statuses=[status(each, "wamid.MARK") for each in marks])])) == 200
    eventually(lambda: len(_marked(running, marks)) == len(marks), "what came last on every partition")
    assert {record.partition for record in _marked(running, marks)} == set(range(8))
    on_lane = records(running.bootstrap, "events.default")
    ids = Counter(dict(record.headers)["event-id"] for record in on_lane)
    assert [name for name, times in ids.items() if times > 1] == []
    found = [(orjson.loads(record.value), record) for record in on_lane]
    assert expected <= {(event["provider"], event["event_type"]) for event, _ in found}
    wanted = {event.event_id for name, body in arrivals if name == "cloud" for event in _offline(name, body)}
    assert wanted <= {event["event_id"] for event, _ in found}


def _ours(body: bytes) -> bytes:
    for theirs, ours in OURS.items():
        body = body.replace(theirs, ours)
    return body


def _knock(stack: Stack, provider: str, body: bytes) -> int:
    path, headers = DOORS[provider](body)
    return request(f"{stack.ingress_url}/webhooks/{path}", body, {"Content-Type": "application/json"} | headers)


def _event_types(provider: str, body: bytes) -> set[str]:
    return {event.body["event_type"] for event in _offline(provider, body)}


def _offline(provider: str, body: bytes) -> list[ParsedEvent]:
    return list(PROVIDERS[provider].parse(TestRecord(body, headers=(("account", b"account"),))))


def _marked(stack: Stack, recipients: Sequence[str]) -> list[Any]:
    """The records of the statuses that were posted last."""
    wanted = {f"cloud:106540352242922:wamid.MARK:delivered:{each}".encode() for each in recipients}
    return [each for each in records(stack.bootstrap, "events.default") if dict(each.headers)["event-id"] in wanted]
