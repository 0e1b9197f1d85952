"""The topology: every app, every flow, on one page.

    webhooks.raw ──▶ [parse ▸ deduplicate ▸ route] ──▶ events.<lane>              app "intake", table "seen"
                                            └──▶ commands.receipts
    events.<lane> ──▶ [handle] ──▶ commands.interactive, commands.bulk            app "handlers-<lane>"
    commands.interactive, commands.bulk ──▶ [send] ──▶ commands.outcomes          app "messenger", table "sent"
    commands.receipts ──▶ [receive]                                               app "messenger", table "sent"
    any stage ──▶ dead-letters.<stage>

A chain is cut in two by naming a topic between its stages: `app.flow(RAW, parse(…), Link(…), deduplicate(), …)`.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.handle import handle
from pipeline.agents.parse import parse
from pipeline.agents.receive import receive
from pipeline.agents.route import route
from pipeline.agents.send import send
from pipeline.handlers.runner import HandlerRunner
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import Courier
from pipeline.providers import PROVIDERS
from pipeline.providers.media import AccountMedia
from pipeline.runtime import PipelineApp
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.runtime.kafka.watermark import Hearing, Hop
from pipeline.settings import Settings
from pipeline.tenants import Tenants
from pipeline.topics import catalogue as topics
from pipeline.topics.commands import Command
from pipeline.topics.keys import conversation_key

HEARD = (Hop(topics.INTAKE, topics.RAW.name), Hop(topics.MESSENGER, topics.RECEIPTS.name))
"""The way of a status to the messenger."""


def intake(settings: Settings, tenants: Tenants) -> PipelineApp:
    """Webhooks to events, each once, on the lane of their tenant."""
    app = PipelineApp(topics.INTAKE, settings)
    app.table(topics.SEEN, ttl=settings.dedup_ttl)
    app.flow(topics.RAW.name, parse(PROVIDERS), deduplicate(), route(tenants, settings.max_event_age))
    return app


def handlers(settings: Settings, tenants: Tenants, lane: str) -> PipelineApp:
    """A lane's events to commands. Raises `ConfigurationError` for a path that leads to no handler."""
    app = PipelineApp(f"{topics.HANDLERS}-{lane}", settings)
    capabilities = {name: provider.kinds for name, provider in PROVIDERS.items()}
    media = AccountMedia(PROVIDERS, tenants, networks=settings.media_networks)
    runner = HandlerRunner(settings, tenants, capabilities=capabilities, media=media)
    app.flow(topics.events(lane).name, handle(runner, settings.handler_concurrency))
    app.on_close(runner.close)
    app.on_close(media.close)
    return app


def messenger(settings: Settings, tenants: Tenants) -> PipelineApp:
    """Commands to calls of the providers, and to outcomes."""
    app = PipelineApp(topics.MESSENGER, settings)
    app.table(topics.SENT, ttl=settings.outcome_ttl)
    dispatcher = Dispatcher(PROVIDERS, tenants, settings.send_concurrency)
    hearing = Hearing(settings.kafka, HEARD, settings.partitions)
    courier = Courier(dispatcher, settings.reconcile_window, _heard(hearing, settings.partitions), settings.resends)
    app.flow(topics.COMMANDS_INTERACTIVE.name, send(courier))
    app.flow(topics.COMMANDS_BULK.name, send(courier))
    app.flow(topics.RECEIPTS.name, receive())
    app.on_revoked(dispatcher.forget)
    app.on_close(dispatcher.close)
    app.on_close(hearing.close)
    return app


def _heard(hearing: Hearing, partitions: int) -> Callable[[Command], float]:
    """Until when every status that came about a command has been heard: it comes as its recipient's webhooks do."""

    def until(command: Command) -> float:
        contact = PROVIDERS[command.provider].contact(command.recipient)
        conversation = conversation_key(command.provider, command.account, contact)
        status, receipt = (partition_of(key.encode(), partitions) for key in (conversation, command.account_key))
        return hearing.until(status, receipt)

    return until
