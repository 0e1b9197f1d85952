"""The contract of a provider as a test suite. Inherit it, and supply the provider's webhooks and answers.

>>> class TestPigeon(ProviderConformance):
...     provider = Pigeon()
...     tenants = Tenants(...)
...     secrets = ("the current one", "the next one")
...
...     def message(self, number: int, sender: str = "15550001111") -> bytes: ...

It knows no provider's form. `docs/new-provider.md` shows a provider that passes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final, NamedTuple

import orjson
from aiohttp import web

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.ingress.records import IngressMetadata, RecordBuilder, webhook_id
from pipeline.local.free_ports import free_ports
from pipeline.providers.base import AttemptStatus, HeadAuthenticator, Provider, SendAttempt, WebhookRequest
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import provider_calls as calls
from pipeline.testing.records import TestRecord
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import MessageEvent, UnknownEvent, decode
from pipeline.topics.events.wire import ParsedEvent

_NO_OBJECTS: Final = (b"", b"not json", b"[1]", b'"text"', b"null", b"\xff\xfe")
_UNREADABLE: Final = (b"", b"<html>", b"[]", b"null", b'{"error":5,"data":[]}')


class DocumentedAnswer(NamedTuple):
    """An answer of the provider to a text message, and the attempt that it describes.

    Attributes:
        http: HTTP status.
        body: bytes, or a value to encode as JSON.
        delay: minimum seconds until the next attempt.
    """

    http: int
    body: object
    status: AttemptStatus
    delay: float = 0.0
    headers: Mapping[str, str] | None = None


class ProviderConformance(ABC):
    """Inherit it under a name that starts with `Test`, and implement the abstract methods.

    Attributes:
        provider: the provider under test.
        tenants: tenants whose accounts have both secrets, as during a rotation.
        secrets: the two secrets.
    """

    provider: ClassVar[Provider]
    tenants: ClassVar[Tenants]
    secrets: ClassVar[tuple[str, str]]

    @abstractmethod
    def signed(self, body: bytes, secret: str) -> WebhookRequest:
        """Return the request with which the provider sends `body`, authenticated with `secret`."""

    @abstractmethod
    def forged(self, body: bytes) -> Sequence[WebhookRequest]:
        """Return requests without the right secret: missing, wrong, truncated, not ASCII."""

    @abstractmethod
    def message(self, number: int, sender: str = "15550001111") -> bytes:
        """Return a webhook with the `number`-th text message. Its text is `text <number>`."""

    @abstractmethod
    def batch(self) -> tuple[bytes, int]:
        """Return the fullest webhook of the provider, of several conversations if possible, and its event count."""

    @abstractmethod
    def unknown(self) -> Sequence[bytes]:
        """Return webhooks with an unknown type, an unknown field and an unknown event name, one event each."""

    @abstractmethod
    def odd(self) -> Sequence[bytes]:
        """Return JSON objects with wrong types in every place that the provider's code reads."""

    @abstractmethod
    def about(self, person: str) -> Sequence[bytes]:
        """Return one webhook per kind of event that names this phone number, each with different content."""

    @abstractmethod
    def answers(self) -> Sequence[DocumentedAnswer]:
        """Return the provider's answers to a text: success, rate limit, and every other documented error."""

    def command(self, kind: CommandKind = CommandKind.TEXT) -> Command:
        """Return a command of this kind that the provider can carry out if it supports the kind at all."""
        return calls.sample_command(self.provider.name, kind)

    def records(self, body: bytes, at_ms: int = 1_760_000_000_500) -> list[TestRecord]:
        """Return the records that the ingress builds from a body."""
        slices = self.provider.split(self.signed(body, self.secrets[0]), self.tenants)
        metadata = IngressMetadata(self.provider.name, None, webhook_id(body), at_ms, b"trace")
        return [TestRecord.of(record) for record in RecordBuilder(self.tenants).build(slices, metadata)]

    def events(self, body: bytes, at_ms: int = 1_760_000_000_500) -> list[ParsedEvent]:
        """Return the events that the intake parses from these records."""
        return [event for record in self.records(body, at_ms) for event in self.provider.parse(record)]

    def attempt(self, handler: calls.HttpHandler) -> SendAttempt:
        """Return the attempt at a text that the provider answers by `handler`."""
        (attempt,) = calls.deliver_to(self.provider, handler, self.command())
        return attempt

    def is_authentic(self, request: WebhookRequest) -> bool:
        """Return True if the provider authenticates the request for the suite's tenants."""
        return self.provider.authenticate(request, self.tenants)

    def test_each_secret_is_accepted(self) -> None:
        """Webhooks would be refused while a secret is being rotated."""
        body = self.message(1)
        assert [self.is_authentic(self.signed(body, secret)) for secret in self.secrets] == [True, True]

    def test_no_other_request_is_accepted(self) -> None:
        """Anybody could write to a tenant's customers."""
        body = self.message(1)
        assert not any(self.is_authentic(request) for request in self.forged(body))
        assert not self.is_authentic(self.signed(body, "another secret"))

    def test_a_head_is_rejected_only_if_no_body_could_be_authentic(self) -> None:
        """Webhooks would be refused, or everybody's bodies waited for."""
        if not isinstance(self.provider, HeadAuthenticator):
            return
        body, nobody = self.message(1), Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme"}]}))
        for secret in self.secrets:
            assert self.provider.authenticate_head(replace(self.signed(body, secret), body=b""), self.tenants)
        empty = replace(self.signed(body, self.secrets[0]), body=b"", headers={}, query={})
        assert not self.provider.authenticate_head(empty, self.tenants)
        assert not self.provider.authenticate_head(self.signed(body, self.secrets[0]), nobody)
        for request in (*self.forged(body), self.signed(body, "another secret")):
            if not self.provider.authenticate_head(replace(request, body=b""), self.tenants):
                assert not self.is_authentic(request)

    def test_an_unknown_tenant_is_compared_with_as_many_secrets(self) -> None:
        """The time that an answer takes would tell whether a company is a customer."""
        name = self.provider.name
        known = [tenant.id for tenant in self.tenants if self.tenants.candidates(tenant.id, name)]
        counts = {len(account.webhook_secrets) for each in known for account in self.tenants.candidates(each, name)}
        for stranger in ("nobody", "x" * 1000, "\udcff"):
            found = self.tenants.candidates(stranger, name)
            assert {len(account.webhook_secrets) for account in found} <= counts
            assert bool(found) is bool(counts)
            request = replace(self.signed(self.message(1), self.secrets[0]), tenant_id=stranger)
            assert not counts or not self.is_authentic(request)

    def test_a_part_of_a_secret_is_rejected(self) -> None:
        """A secret could be found out letter by letter, or guessed from its beginning."""
        secret = self.secrets[0]
        for wrong in (secret[:-1], secret[1:], secret + "x", secret * 2, f"{secret}\n", secret.upper(), "\0", " "):
            assert not self.is_authentic(self.signed(self.message(1), wrong))

    def test_without_a_secret_every_request_is_rejected(self) -> None:
        """An installation that forgot its secret would take everything."""
        nobody = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme"}]}))
        assert not self.provider.authenticate(self.signed(self.message(1), self.secrets[0]), nobody)

    def test_a_redelivery_is_the_same(self) -> None:
        """It would be handled twice, or on another partition."""
        body, again = self.message(1), self.message(1)
        assert self.records(body)[0].key == self.records(again)[0].key
        assert [event.event_id for event in self.events(body)] == [event.event_id for event in self.events(again)]

    def test_another_message_is_another_event_of_the_same_conversation(self) -> None:
        """It would be dropped as a redelivery, or handled beside the first one."""
        (one,), (other,) = self.events(self.message(1)), self.events(self.message(2))
        assert one.event_id != other.event_id
        assert one.conversation == other.conversation

    def test_every_kind_of_event_is_the_same_however_late_it_comes_again(self) -> None:
        """A webhook that is delivered again after an outage would be handled again."""
        for body in self.about("15550001111"):
            first, late = self.events(body), self.events(body, 1_760_000_000_500 + 3 * 86_400_000)
            assert [event.event_id for event in first] == [event.event_id for event in late]

    def test_a_person_has_one_conversation_in_all_kinds_of_events(self) -> None:
        """A status would overtake the message that it is about, and two workers would answer one person."""
        found = [event for body in self.about("15550001111") for event in self.events(body)]
        keys = {record.key for body in self.about("15550001111") for record in self.records(body)}
        assert keys == {found[0].conversation.encode()}
        assert len({event.event_id for event in found}) == len(found) > 1

    def test_a_send_is_in_the_conversation_of_its_recipient(self) -> None:
        """A send of another system would overtake the handler's answers to the same person."""
        (event,) = self.events(self.message(1))
        for recipient in ("15550001111", "+1 (555) 000-1111"):
            assert self.provider.contact(recipient) == event.body["contact"]
        assert self.provider.contact(event.body["contact"]) == event.body["contact"]

    def test_events_go_to_a_topic_and_back(self) -> None:
        """A handler would see something else than what was parsed."""
        for body in (*self.about("15550001111"), self.batch()[0], *self.unknown()):
            for wire in self.events(body):
                event = decode(TestRecord(wire.encode("acme")))
                assert decode(TestRecord(event.to_json())) == event
                assert event.get_raw_webhook_data() == orjson.loads(wire.encode("acme"))["raw"]

    def test_the_raw_form_is_a_webhook_that_holds_this_event_alone(self) -> None:
        """What a handler takes for the original would hold other people's messages, or could not be sent in again."""
        for body in (*self.about("15550001111"), self.batch()[0]):
            for wire in self.events(body):
                (again,) = self.events(orjson.dumps(wire.body["raw"]))
                assert (again.event_id, again.conversation) == (wire.event_id, wire.conversation)

    def test_another_person_has_another_conversation(self) -> None:
        """Everybody would wait for everybody else."""
        (one,), (other,) = self.events(self.message(1)), self.events(self.message(2, "15550002222"))
        assert one.conversation != other.conversation

    def test_a_webhook_of_one_conversation_stays_as_it_is(self) -> None:
        """What is kept would not be what the provider sent."""
        body = self.message(1)
        assert [record.value for record in self.records(body)] == [body]

    def test_a_text_message_is_typed(self) -> None:
        """Handlers would not get the one thing that every business reads."""
        (wire,) = self.events(self.message(7))
        event = decode(TestRecord(wire.encode("acme")))
        assert isinstance(event, MessageEvent)
        assert event.get_message_text() == "text 7"
        assert event.provider == self.provider.name
        assert event.conversation.startswith(f"{self.provider.name}:{event.account}:")
        assert event.user.user_id

    def test_a_batch_is_complete(self) -> None:
        """All but the first of a batch would be lost."""
        body, count = self.batch()
        ids = [event.event_id for event in self.events(body)]
        assert len(set(ids)) == len(ids) == count

    def test_a_batch_is_in_order_per_conversation(self) -> None:
        """Answers would come in another order than the questions."""
        body, _ = self.batch()
        records = self.records(body)
        whole = list(self.provider.parse(replace(records[0], value=body)))
        for record in records:
            found = [event.event_id for event in self.provider.parse(record)]
            assert found == [event.event_id for event in whole if event.conversation.encode() == record.key]

    def test_every_event_is_on_the_key_of_its_slice(self) -> None:
        """An event would change its partition between two stages, and lose its order."""
        for body in (self.message(1), self.batch()[0], *self.unknown()):
            for record in self.records(body):
                assert {event.conversation.encode() for event in self.provider.parse(record)} <= {record.key}

    def test_an_unknown_webhook_becomes_an_event(self) -> None:
        """What the provider adds tomorrow would be lost."""
        for body in self.unknown():
            (wire,) = self.events(body)
            event = decode(TestRecord(wire.encode("acme")))
            assert isinstance(event, UnknownEvent)
            assert event.event_type

    def test_malformed_webhooks_become_events(self) -> None:
        """One odd webhook would stop its partition."""
        for body in self.odd():
            for wire in self.events(body):
                assert decode(TestRecord(wire.encode("acme"))).event_id == wire.event_id

    def test_a_body_that_is_no_object_is_published_and_rejected_by_parse(self) -> None:
        """It would vanish between the 200 and the dead letters."""
        for body in _NO_OBJECTS:
            (record,) = self.records(body)
            assert record.value == body
            assert record.key
            assert _raises(InvalidRecord, partial(self._parse_all, record)), body

    def _parse_all(self, record: TestRecord) -> list[ParsedEvent]:
        return list(self.provider.parse(record))

    def test_a_huge_body_is_read(self) -> None:
        """A long text, or a webhook as large as the ingress takes, would stop the partition."""
        body = self.message(1).replace(b"text 1", b"x" * 3_000_000)
        (wire,) = self.events(body)
        assert decode(TestRecord(wire.encode("acme"))).event_id == self.events(self.message(1))[0].event_id

    def test_secrets_do_not_travel(self) -> None:
        """A secret would be on every topic and in every dead letter."""
        for wire in self.events(self.message(1)):
            assert not any(secret.encode() in wire.encode("acme") for secret in self.secrets)

    def test_every_documented_answer_is_interpreted(self) -> None:
        """A message would be sent twice, or given up although it could have been sent."""
        for said in self.answers():
            found = self.attempt(calls.responds(said.http, said.body, said.headers))
            assert (found.status, said.body) == (said.status, said.body)
            assert found.delay >= said.delay
            assert (found.message_id is not None) is (said.status is AttemptStatus.ACCEPTED)
        assert {said.status for said in self.answers()} >= set(AttemptStatus) - {AttemptStatus.UNKNOWN}

    def test_an_unreachable_provider_is_retried(self) -> None:
        """Messages would be lost while the provider, or the way to it, is away."""

        async def answer(_: web.Request) -> web.Response:
            raise AssertionError("nobody listens here")

        nobody = f"http://127.0.0.1:{free_ports()}"
        (found,) = calls.deliver_to(self.provider, answer, self.command(), base_url=nobody)
        assert found.status is AttemptStatus.RETRYABLE
        assert found.delay > 0

    def test_a_request_without_an_answer_is_never_repeated_blindly(self) -> None:
        """The customer would get the message twice."""

        async def cut(request: web.Request) -> web.Response:
            await request.read()
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        assert self.attempt(cut).status is AttemptStatus.UNKNOWN

    def test_an_unreadable_answer_is_no_success(self) -> None:
        """A message that was never sent would be reported as sent, or the answer of a proxy would stop the worker."""
        for http in (200, 400, 500, 502):
            for body in _UNREADABLE:
                found = self.attempt(calls.responds(http, body))
                assert found.status is not AttemptStatus.ACCEPTED, (http, body)

    def test_no_error_quotes_token_or_text(self) -> None:
        """Logs and outcomes would hold what only the customer and the provider may know."""
        quoted = f"you said {calls.TEXT} with {calls.TOKEN}"
        for body in ({"message": quoted}, {"error": quoted}, {"error": {"code": 100, "message": quoted}}):
            words = self.attempt(calls.responds(400, body)).error_message or ""
            assert calls.TEXT not in words
            assert calls.TOKEN not in words

    def test_every_supported_kind_calls_the_provider(self) -> None:
        """A handler would be told that something is sent which nobody sends."""
        for kind in sorted(self.provider.kinds & calls.BODIES.keys()):
            assert calls.requested_paths(self.provider, self.command(kind)), kind

    def test_an_unsupported_kind_is_rejected_without_a_call(self) -> None:
        """The handler would hear of it from the provider, in the provider's words, after a retry."""
        for kind in set(CommandKind) - self.provider.kinds:
            command = self.command(kind)
            call = partial(calls.requested_paths, self.provider, command)
            assert _raises(UnsupportedCommand, call), kind


def _raises(expected: type[Exception], call: Callable[[], object]) -> bool:
    """Return True if the call raises the expected error. The suite needs no test framework for it."""
    try:
        call()
    except expected:
        return True
    return False
