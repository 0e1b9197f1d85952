"""What every provider must do. A provider inherits it in a test module of its own and gives its webhooks.

    class TestCloud(ProviderConformance):
        provider = Cloud()
        …

Nothing here knows any provider's form; pytest collects it through the subclasses only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple

import orjson
import pytest
from aiohttp import web

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.ingress.records import Arrival, Labeller, webhook_id
from pipeline.providers.base import Delivery, DeliveryStatus, HeadAuthenticator, Provider, WebhookRequest
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import MessageEvent, UnknownEvent, decode
from pipeline.topics.events.wire import WireEvent
from tests.support import gateway_calls as calls
from tests.support.ports import free_ports


class Said(NamedTuple):
    """An answer of the provider to a text message, and what it means. `delay`: seconds that it asks for at least."""

    http: int
    body: object
    status: DeliveryStatus
    delay: float = 0.0
    headers: Mapping[str, str] | None = None


class ProviderConformance(ABC):
    """The suite.

    Attributes:
        provider: the one under test.
        tenants: with two secrets, while one is being rotated.
        secrets: those two.
    """

    provider: ClassVar[Provider]
    tenants: ClassVar[Tenants]
    secrets: ClassVar[tuple[str, str]]

    @abstractmethod
    def signed(self, body: bytes, secret: str) -> WebhookRequest:
        """The request by which the provider sends `body`, authenticated with `secret`."""

    @abstractmethod
    def forged(self, body: bytes) -> Sequence[WebhookRequest]:
        """Requests that somebody could send who does not know the secret: missing, wrong, cut short, not ASCII."""

    @abstractmethod
    def message(self, number: int, sender: str = "15550001111") -> bytes:
        """A webhook with one text message, the `number`-th; its text is `text <number>`."""

    @abstractmethod
    def batch(self) -> tuple[bytes, int]:
        """The fullest webhook the provider sends, of several conversations if it can, and its number of events."""

    @abstractmethod
    def unknown(self) -> Sequence[bytes]:
        """Webhooks with a type, a field and an event name that nobody knows yet, one event each."""

    @abstractmethod
    def odd(self) -> Sequence[bytes]:
        """JSON objects with wrong types in every place that the provider's code looks at."""

    @abstractmethod
    def about(self, person: str) -> Sequence[bytes]:
        """A webhook of each kind of event that names this person (a phone number), each telling something else."""

    @abstractmethod
    def answers(self) -> Sequence[Said]:
        """What the provider says to a text: taken, over a limit, refused, and every other error that it documents."""

    def command(self, kind: CommandKind = CommandKind.TEXT) -> Command:
        """A command of this kind that the provider can carry out, if it can do the kind at all."""
        return calls.command(self.provider.name, kind)

    def records(self, body: bytes, at_ms: int = 1_760_000_000_500) -> list[TestRecord]:
        """The records that the ingress makes of a body."""
        slices = self.provider.split(self.signed(body, self.secrets[0]), self.tenants)
        arrival = Arrival(self.provider.name, None, webhook_id(body), at_ms, b"trace")
        return [TestRecord.of(record) for record in Labeller(self.tenants).records(slices, arrival)]

    def events(self, body: bytes, at_ms: int = 1_760_000_000_500) -> list[WireEvent]:
        """What the intake makes of those."""
        return [event for record in self.records(body, at_ms) for event in self.provider.parse(record)]

    def delivered(self, answer: calls.Answer) -> Delivery:
        """What becomes of a text that the provider answers like that."""
        (delivery,) = calls.delivered(self.provider.name, answer, self.command())
        return delivery

    def authentic(self, request: WebhookRequest) -> bool:
        return self.provider.authenticate(request, self.tenants)

    def test_each_secret_opens(self) -> None:
        """Webhooks would be refused while a secret is being rotated."""
        body = self.message(1)
        assert [self.authentic(self.signed(body, secret)) for secret in self.secrets] == [True, True]

    def test_nothing_else_opens(self) -> None:
        """Anybody could write to a tenant's customers."""
        body = self.message(1)
        assert not any(self.authentic(request) for request in self.forged(body))
        assert not self.authentic(self.signed(body, "another secret"))

    def test_a_head_is_refused_only_where_no_body_could_help(self) -> None:
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
                assert not self.authentic(request)

    def test_a_tenant_that_is_not_there_is_compared_with_as_many_secrets(self) -> None:
        """The time that an answer takes would tell whether a company is a customer."""
        name = self.provider.name
        known = [tenant.id for tenant in self.tenants if self.tenants.candidates(tenant.id, name)]
        counts = {len(account.webhook_secrets) for each in known for account in self.tenants.candidates(each, name)}
        for stranger in ("nobody", "x" * 1000, "\udcff"):
            found = self.tenants.candidates(stranger, name)
            assert {len(account.webhook_secrets) for account in found} <= counts
            assert bool(found) is bool(counts)
            request = replace(self.signed(self.message(1), self.secrets[0]), tenant_id=stranger)
            assert not counts or not self.authentic(request)

    def test_a_part_of_a_secret_is_none(self) -> None:
        """A secret could be found out letter by letter, or guessed from its beginning."""
        secret = self.secrets[0]
        for wrong in (secret[:-1], secret[1:], secret + "x", secret * 2, f"{secret}\n", secret.upper(), "\0", " "):
            assert not self.authentic(self.signed(self.message(1), wrong))

    def test_no_secret_no_door(self) -> None:
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

    @pytest.mark.parametrize("written", ["15550001111", "+1 (555) 000-1111"])
    def test_a_send_is_in_the_conversation_of_whom_it_names(self, written: str) -> None:
        """A send of another system would overtake what the handler answers the same person."""
        (event,) = self.events(self.message(1))
        assert self.provider.contact(written) == event.body["contact"]
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

    def test_the_unknown_arrives(self) -> None:
        """What the provider adds tomorrow would be lost."""
        for body in self.unknown():
            (wire,) = self.events(body)
            event = decode(TestRecord(wire.encode("acme")))
            assert isinstance(event, UnknownEvent)
            assert event.event_type

    def test_odd_shapes_arrive(self) -> None:
        """One odd webhook would stop its partition."""
        for body in self.odd():
            for wire in self.events(body):
                assert decode(TestRecord(wire.encode("acme"))).event_id == wire.event_id

    @pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'"text"', b"null", b"\xff\xfe"], ids=str)
    def test_what_is_no_object_is_kept_and_refused(self, body: bytes) -> None:
        """It would vanish between the 200 and the dead letters."""
        (record,) = self.records(body)
        assert record.value == body
        assert record.key
        with pytest.raises(InvalidRecord):
            list(self.provider.parse(record))

    def test_a_huge_body_is_read(self) -> None:
        """A long text, or a webhook as large as the ingress takes, would stop the partition."""
        body = self.message(1).replace(b"text 1", b"x" * 3_000_000)
        (wire,) = self.events(body)
        assert decode(TestRecord(wire.encode("acme"))).event_id == self.events(self.message(1))[0].event_id

    def test_secrets_do_not_travel(self) -> None:
        """A secret would be on every topic and in every dead letter."""
        for wire in self.events(self.message(1)):
            assert not any(secret.encode() in wire.encode("acme") for secret in self.secrets)

    def test_every_answer_has_its_meaning(self) -> None:
        """A message would be sent twice, or given up although it could have been sent."""
        for said in self.answers():
            found = self.delivered(calls.says(said.http, said.body, dict(said.headers or {})))
            assert (found.status, said.body) == (said.status, said.body)
            assert found.delay >= said.delay
            assert (found.message_id is not None) is (said.status is DeliveryStatus.ACCEPTED)
        assert {said.status for said in self.answers()} >= set(DeliveryStatus) - {DeliveryStatus.UNKNOWN}

    def test_a_provider_that_is_not_there_is_asked_again(self) -> None:
        """Messages would be lost while the provider, or the way to it, is away."""

        async def answer(_: web.Request) -> web.Response:
            raise AssertionError("nobody listens here")

        (found,) = calls.delivered(
            self.provider.name, answer, self.command(), base_url=f"http://127.0.0.1:{free_ports()}"
        )
        assert found.status is DeliveryStatus.RETRYABLE
        assert found.delay > 0

    def test_a_request_without_an_answer_is_never_repeated_blindly(self) -> None:
        """The customer would get the message twice."""

        async def cut(request: web.Request) -> web.Response:
            await request.read()
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        assert self.delivered(cut).status is DeliveryStatus.UNKNOWN

    @pytest.mark.parametrize("http", [200, 400, 500, 502])
    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"error":5,"data":[]}'], ids=str)
    def test_an_answer_that_can_not_be_read_is_no_success(self, http: int, body: bytes) -> None:
        """A message that was never sent would be reported as sent, or the answer of a proxy would stop the worker."""
        assert self.delivered(calls.says(http, body)).status is not DeliveryStatus.ACCEPTED

    def test_no_error_quotes_token_or_text(self) -> None:
        """Logs and outcomes would hold what only the customer and the provider may know."""
        quoted = f"you said {calls.TEXT} with {calls.TOKEN}"
        for body in ({"message": quoted}, {"error": quoted}, {"error": {"code": 100, "message": quoted}}):
            words = self.delivered(calls.says(400, body)).error_message or ""
            assert calls.TEXT not in words
            assert calls.TOKEN not in words

    def test_what_it_can_do_is_asked_of_the_provider(self) -> None:
        """A handler would be told that something is sent which nobody sends."""
        for kind in sorted(self.provider.kinds & calls.BODIES.keys()):
            assert calls.asked(self.command(kind)), kind

    def test_what_it_can_not_do_is_refused_without_a_call(self) -> None:
        """The handler would hear of it from the provider, in the provider's words, after a retry."""
        for kind in set(CommandKind) - self.provider.kinds:
            with pytest.raises(UnsupportedCommand):
                calls.asked(self.command(kind))
