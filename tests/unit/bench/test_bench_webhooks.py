"""The benchmark's load: what it posts must be what Meta would post, and what it counts what the pipeline makes."""

from __future__ import annotations

from pathlib import Path

import yaml

from bench import webhooks
from bench.lab import Lab
from bench.load.connection import answered, request
from pipeline.providers import CLOUD
from pipeline.providers.base import WebhookRequest
from pipeline.providers.cloud.split import split_body
from pipeline.tenants import load_tenants
from pipeline.testing import TestRecord
from pipeline.topics.catalogue import RAW

NUMBERS = (0, 1, 4_999, 123_456)


def test_a_webhook_becomes_the_event_that_is_counted() -> None:
    """Were the expected ids other than parse's, every run would end as if events were missing."""
    for number in NUMBERS:
        (event,) = CLOUD.parse(TestRecord.of(webhooks.record(number, RAW.name)))
        assert event.event_id.encode() == webhooks.event_id(number)
        assert event.kind == "message"
        assert webhooks.number_in(webhooks.body(number)) == number


def test_webhooks_are_keyed_as_the_ingress_keys_them() -> None:
    """Another key would put a conversation on another partition than the real door does."""
    for number in NUMBERS:
        record = webhooks.record(number, RAW.name)
        (part,) = split_body(record.value)
        assert part.key.encode() == record.key
        assert part.body == record.value


def test_webhooks_are_as_large_as_real_ones() -> None:
    """Small webhooks would flatter every figure."""
    assert all(600 <= len(webhooks.body(number)) <= 700 for number in NUMBERS)


def test_requests_are_signed_with_the_secret_of_the_tenants_file(tmp_path: Path) -> None:
    """A load that is answered 401 would measure the refusal of webhooks."""
    path = Lab(tmp_path).tenants("http://127.0.0.1:9")
    head, _, body = request(webhooks.body(7)).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
    assert CLOUD.authenticate(WebhookRequest(body, headers, {}), load_tenants(path))
    assert int(headers["content-length"]) == len(body)
    assert yaml.safe_load(path.read_text())["tenants"][0]["accounts"][0]["limits"]["messages_per_second"] >= 1_000_000


def test_an_answer_counts_once_all_of_it_is_there() -> None:
    """Counting a half answer would put the rest of it in front of the next one."""
    whole = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nlater"
    assert [answered(whole[:length]) for length in (0, 20, len(whole) - 1)] == [None, None, None]
    assert answered(whole) == 503
    assert answered(b"HTTP/1.1 204 No Content\r\n\r\n") == 204
