"""The topology: all apps and flows.

    webhooks.raw ──▶ [parse ▸ deduplicate ▸ route] ──▶ events.<lane>              app "intake", table "seen"
                                            └──▶ commands.receipts
    events.<lane> ──▶ [handle] ──▶ commands.interactive, commands.bulk            app "handlers-<lane>", table "parked"
    commands.interactive, commands.bulk ──▶ [send] ──▶ commands.outcomes          app "messenger", "sent", "parked"
    commands.receipts ──▶ [receive] ──▶ commands.outcomes                         app "messenger", "sent", "contacts"
    controls ──▶ every messenger, from its beginning
    events.*, commands.*, commands.outcomes ──▶ [react] ──▶ commands.*            app "agent-<id>", "parked"
    any stage ──▶ dead-letters.<stage>

A chain is cut in two by naming a topic between its stages: `app.flow(RAW, parse(…), Through(…), deduplicate(), …)`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.handle import fair_key as event_fair_key
from pipeline.agents.handle import handle
from pipeline.agents.parse import parse
from pipeline.agents.react import fair_key as reaction_fair_key
from pipeline.agents.react import react
from pipeline.agents.reads import topics_read
from pipeline.agents.receive import receive
from pipeline.agents.route import route
from pipeline.agents.send import fair_key as command_fair_key
from pipeline.agents.send import send
from pipeline.handlers.agents import AgentRunner, load_agent
from pipeline.handlers.base import EventHandler
from pipeline.handlers.runner import HandlerRunner
from pipeline.handlers.services import Capabilities
from pipeline.messenger.accounts import AccountFacts
from pipeline.messenger.control_updates import ControlUpdates
from pipeline.messenger.controls import ControlChange, Controls
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.failed_sends import FailedSends
from pipeline.messenger.fates import Fates
from pipeline.messenger.lifetimes import Lifetimes
from pipeline.messenger.refusals import Refusals
from pipeline.messenger.slots import SlotBounds
from pipeline.messenger.uploads import UploadDelivery
from pipeline.providers import JOINED_BY_MESSAGE, PROVIDERS, WINDOWED
from pipeline.providers.media import AccountMedia
from pipeline.runtime import FairKey, Fairness, PipelineApp
from pipeline.runtime.kafka.compacted import TopicFollower
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.runtime.kafka.watermark import GroupTopic, PipelineWatermark
from pipeline.settings import Settings
from pipeline.tenants import Tenants
from pipeline.topics import catalogue as topics
from pipeline.topics.agents import AgentEntry
from pipeline.topics.commands import Command
from pipeline.topics.keys import account_key, account_of, conversation_key
from pipeline.topics.lifetimes import longest_lifetime, required_retention
from pipeline.uploads.reader import UploadReader

STATUS_PATH = (GroupTopic(topics.INTAKE, topics.RAW.name), GroupTopic(topics.MESSENGER, topics.RECEIPTS.name))
"""The groups and topics that a status passes on its way to the messenger."""


def intake(settings: Settings, tenants: Tenants) -> PipelineApp:
    """Create the app that turns webhooks into events, each once, on the lane of their tenant."""
    app = PipelineApp(topics.INTAKE, settings)
    app.table(topics.SEEN, ttl=settings.dedup_ttl)
    routing = route(tenants, settings.max_event_age, windowed=WINDOWED, joined_by_message=JOINED_BY_MESSAGE)
    app.flow(topics.RAW.name, parse(PROVIDERS), deduplicate(), routing)
    return app


def handlers(settings: Settings, tenants: Tenants, lane: str) -> PipelineApp:
    """Create the app that turns a lane's events into commands. Raise `ConfigurationError` for a wrong handler."""
    app = PipelineApp(f"{topics.HANDLERS}-{lane}", settings)
    media = AccountMedia(PROVIDERS, tenants, networks=settings.media_networks)
    runner = HandlerRunner(settings, tenants, capabilities=_capabilities(), media=media)
    app.flow(topics.events(lane).name, handle(runner, settings.handler_concurrency, _event_fairness(tenants, lane)))
    app.on_close(runner.close)
    app.on_close(media.close)
    return app


def agent(settings: Settings, tenants: Tenants, entry: AgentEntry) -> PipelineApp:
    """Create the app of an agent beside the handlers. Raise `ConfigurationError` for a wrong agent."""
    app, found = PipelineApp(entry.app, settings), load_agent(entry)
    if not isinstance(found, EventHandler):
        found(app)
        return app
    media = AccountMedia(PROVIDERS, tenants, networks=settings.media_networks)
    runner = AgentRunner(entry, found, settings, tenants, capabilities=_capabilities(), media=media)
    is_shared = len(tenants.read_by(entry)) > 1
    fairness = Fairness(reaction_fair_key, weight=tenants.weight, has_groups=lambda: is_shared, account=_account)
    for source in topics_read(found, entry, tenants):
        app.flow(source, react(runner, settings.handler_concurrency, fairness))
    app.on_close(runner.close)
    app.on_close(media.close)
    return app


def _capabilities() -> Capabilities:
    return {name: provider.kinds for name, provider in PROVIDERS.items()}


def messenger(settings: Settings, tenants: Tenants) -> PipelineApp:
    """Create the app that turns commands into API calls and outcomes."""
    app = PipelineApp(topics.MESSENGER, settings)
    kept = required_retention(longest_lifetime(settings.lifetimes, (tenant.lifetimes for tenant in tenants)))
    app.table(topics.SENT, ttl=settings.outcome_ttl, required=kept)
    app.table(topics.CONTACTS, ttl=None)
    for commands in topics.COMMANDS:
        app.require_retention(commands.name, kept)
    bounds = SlotBounds(
        settings.send_concurrency, settings.send_concurrency_per_host, settings.send_concurrency_per_account
    )
    uploads, controls = UploadReader(settings.kafka), Controls(tenants)
    dispatcher = Dispatcher(PROVIDERS, tenants, bounds, UploadDelivery(uploads.read).deliver, controls)
    statuses = PipelineWatermark(settings.kafka, STATUS_PATH, settings.partitions)
    watermark = _status_watermark(statuses, settings.partitions)
    lifetimes = Lifetimes(tenants, settings.lifetimes)
    executor = CommandExecutor(
        dispatcher, settings.reconcile_window, watermark, settings.resends, lifetimes=lifetimes, controls=controls
    )
    fairness, refusals = command_fairness(tenants, settings.partitions), Refusals(tenants, PROVIDERS)
    fates, tell = Fates(tenants, JOINED_BY_MESSAGE), FailedSends(PROVIDERS).tell
    for commands in topics.COMMANDS:
        sending = send(executor, fairness, fates=fates, refusals=refusals, count=dispatcher.codes.count, tell=tell)
        app.flow(commands.name, sending)
    app.flow(topics.RECEIPTS.name, receive(fates, refusals, dispatcher.charge, dispatcher.codes.count, tell))
    app.accounts = AccountFacts(tenants, controls, dispatcher.describe, use=dispatcher.rate_use)
    _obey(app, settings, controls, dispatcher)
    app.on_revoked(dispatcher.reset)
    app.on_revoked(fates.forget)
    app.on_close(dispatcher.close)
    app.on_close(uploads.close)
    app.on_close(statuses.close)
    return app


def _obey(app: PipelineApp, settings: Settings, controls: Controls, dispatcher: Dispatcher) -> None:
    """Let the messenger know all controls before its first call, and each new one as it comes."""

    def apply(change: ControlChange) -> None:
        if change.rate_changed:
            dispatcher.change_limit(change.account)
        app.end_hold(account_key(change.account.provider, change.account.id))

    updates = ControlUpdates(controls, apply)
    follower = TopicFollower(settings.kafka, topics.CONTROLS.name, updates.apply)
    app.on_open(follower.start)
    app.on_open(updates.start)
    app.on_close(follower.close)
    app.on_close(updates.close)


def _event_fairness(tenants: Tenants, lane: str) -> Fairness:
    """Let tenants take turns, and conversations within a tenant."""
    is_shared = sum(tenant.lane == lane for tenant in tenants) > 1
    return Fairness(event_fair_key, weight=tenants.weight, has_groups=lambda: is_shared, account=_account)


def command_fairness(tenants: Tenants, partitions: int) -> Fairness:
    """Let accounts take turns, by the weight of their tenants, and conversations within an account."""
    owners = {account_key(account.provider, account.id): tenant.id for tenant in tenants for account in tenant.accounts}
    accounts = Counter(partition_of(key.encode(), partitions) for key in owners)
    return Fairness(
        command_fair_key,
        weight=lambda account: tenants.weight(owners.get(account, "")),
        has_groups=lambda: len(owners) > 1,
        account=_account_of_command,
        owner=lambda account: owners.get(account, ""),
        is_shared=lambda number: accounts[number] > 1,
    )


def _account(fair_key: FairKey) -> str:
    return account_of(fair_key[1])


def _account_of_command(fair_key: FairKey) -> str:
    return fair_key[0]


def _status_watermark(statuses: PipelineWatermark, partitions: int) -> Callable[[Command], float]:
    """Return a function of a command: every status of it that arrived before the result, a unix time, is processed.

    A status takes the same partition as the webhooks of the command's recipient.
    """

    def watermark(command: Command) -> float:
        contact = PROVIDERS[command.provider].contact(command.recipient)
        conversation = conversation_key(command.provider, command.account, contact)
        status, receipt = (partition_of(key.encode(), partitions) for key in (conversation, command.account_key))
        return statuses.value(status, receipt)

    return watermark
