"""One trace from the webhook to the provider's API."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer

from pipeline import tracing
from pipeline.errors import ConfigurationError
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.slots import SlotBounds
from pipeline.providers import PROVIDERS
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import HandlerDriver, incoming_text
from pipeline.topics.commands import Command
from tests.unit.testing.test_testing import Counter

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
WEBHOOK = f"00-{TRACE}-00f067aa0ba902b7-01"


class Noted(NonRecordingSpan):
    """A span that can be looked at."""

    def __init__(self, name: str, context: SpanContext, parent: int, attributes: Any) -> None:
        super().__init__(context)
        self.name, self.parent, self.attributes = name, parent, attributes
        self.status: StatusCode | None = None
        self.ended = False

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.status = status

    def end(self, end_time: int | None = None) -> None:
        self.ended = True


class Noting(Tracer):
    """A tracer as the SDK's, whose spans stay here."""

    def __init__(self) -> None:
        self.spans: list[Noted] = []

    def start_span(
        self, name: str, context: Any = None, kind: Any = None, attributes: Any = None, *_: Any, **__: Any
    ) -> Noted:
        parent = trace.get_current_span(context).get_span_context()
        number = len(self.spans) + 1
        made = SpanContext(parent.trace_id, number, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        self.spans.append(Noted(name, made, parent.span_id, attributes))
        return self.spans[-1]

    def start_as_current_span(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def test_a_span_shows_no_number(tracer: Noting) -> None:
    """A tracing service would hold the phone numbers of a company's customers."""
    attributes = {"event_id": "cloud:1:15550001111", "account": "106540352242922", "tenant": "acme"}
    with tracing.span("handle", WEBHOOK, SpanKind.INTERNAL, attributes):
        pass
    shown = tracer.spans[0].attributes
    assert "15550001111" not in str(shown)
    assert (shown["account"], shown["tenant"]) == ("106540352242922", "acme")


@pytest.fixture
def tracer() -> Iterator[Noting]:
    made = Noting()
    tracing.configure({}, made)
    yield made
    tracing.configure({})


def _sent(command: Command) -> list[str | None]:
    """The traceparent of each call that sending the command makes."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("traceparent"))
        return web.json_response({"messages": [{"id": "wamid.1"}]})

    async def body() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        account = {"provider": "cloud", "id": command.account, "business_id": "1", "token": "t"}
        account["base_url"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
        tenants = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": [account]}]}))
        dispatcher = Dispatcher(PROVIDERS, tenants, SlotBounds(1, 1, 1))
        try:
            await dispatcher.attempt(command)
        finally:
            await dispatcher.close()
            await runner.cleanup()

    asyncio.run(body())
    return seen


def _answer() -> Command:
    event = incoming_text("hi").model_copy(update={"traceparent": WEBHOOK})
    return HandlerDriver(Counter()).handle(event)[0]


def test_the_webhooks_trace_reaches_the_provider_without_any_setting() -> None:
    """Whoever looks for a message in a provider's or a proxy's log would have nothing to look for."""
    assert _sent(_answer()) == [WEBHOOK]


def test_every_step_is_a_span_of_the_webhooks_trace(tracer: Noting) -> None:
    """A trace would break off at a topic, and the slow step would not be on it."""
    command = _answer()
    (carried,) = _sent(command)
    assert [each.name for each in tracer.spans] == ["handle", "send"]
    assert {f"{each.get_span_context().trace_id:032x}" for each in tracer.spans} == {TRACE}
    assert {each.parent for each in tracer.spans} == {0x00F067AA0BA902B7}
    assert carried == f"00-{TRACE}-{tracer.spans[1].get_span_context().span_id:016x}-01"
    assert tracer.spans[1].attributes["command_id"] == command.command_id
    assert all(each.ended for each in tracer.spans)


def test_a_step_that_fails_is_a_failed_span_without_its_words(tracer: Noting) -> None:
    """A trace would look well where it is not, or show what a user wrote."""
    with pytest.raises(RuntimeError), tracing.span("handle", WEBHOOK, SpanKind.INTERNAL, {}) as inside:
        assert inside is not None
        assert tracing.current() == inside != WEBHOOK
        raise RuntimeError("what a user wrote")
    (failed,) = tracer.spans
    assert (failed.status, failed.ended, tracing.current()) == (StatusCode.ERROR, True, None)


@pytest.mark.skipif(importlib.util.find_spec("opentelemetry.sdk") is not None, reason="the SDK is installed")
def test_an_endpoint_without_the_sdk_is_said_in_one_line() -> None:
    """Somebody would wait for traces that nobody sends."""
    with pytest.raises(ConfigurationError, match=r"pip install 'whatsapp-pipeline\[otel\]'"):
        tracing.configure({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    tracing.configure({})
