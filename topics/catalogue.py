"""The catalogue of all topics: their content, key and retention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Literal

from pipeline.topics import controls, installation
from pipeline.topics.agents import AgentTopics, sources_of
from pipeline.topics.dead_letters import PREFIX, REASON_BYTES

Cleanup = Literal["delete", "compact", "compact,delete"]

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of the largest record: a webhook of 3 MiB, its headers, and room for the additions of `parse`."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        keyed_by: its partition key (`pipeline.topics.keys`).
        purpose: one line, shown by `pipeline topics list`.
        retention: time for which records are kept.
        cleanup: Kafka's `cleanup.policy`.
        largest: bytes of a record with all that belongs to it, Kafka's `max.message.bytes`.
        more: further configuration for the broker.
        partitions: its own count; None for the common count of keyed topics.
    """

    name: str
    keyed_by: str
    purpose: str
    retention: timedelta = timedelta(days=7)
    cleanup: Cleanup = "delete"
    max_message_bytes: int = MAX_MESSAGE_BYTES
    partitions: int | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    def config(self) -> dict[str, str]:
        """Return the topic's configuration for the broker."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(int(self.retention.total_seconds() * 1000)),
            "max.message.bytes": str(self.max_message_bytes),
            **self.more,
        }


RAW: Final = Topic("webhooks.raw", "conversation", "webhooks as the providers sent them, one conversation a record")
COMMANDS_INTERACTIVE: Final = Topic("commands.interactive", "account", "commands that answer somebody")
COMMANDS_BULK: Final = Topic("commands.bulk", "account", "commands of campaigns")
COMMANDS: Final = (COMMANDS_INTERACTIVE, COMMANDS_BULK)
OUTCOMES: Final = Topic("commands.outcomes", "account", "what became of each command")

RECEIPTS: Final = Topic("commands.receipts", "account", "statuses that name a command: it was taken, whatever we heard")

UPLOADS: Final = Topic("uploads", "upload", "files that came with sends over HTTP, in pieces")

INSTALLATION: Final = Topic(
    installation.TOPIC, "name", "what the installation recorded about itself", cleanup="compact", partitions=1
)

CONTROLS: Final = Topic(
    controls.TOPIC,
    "decision",
    "accounts and tenants that operators paused, and limits that they set",
    cleanup="compact",
    partitions=1,
)

STAGES: Final = ("parse", "deduplicate", "route", "handle", "send", "receive")
"""The stages in the order of processing; each has a dead-letter topic."""

INTAKE: Final = "intake"
HANDLERS: Final = "handlers"
MESSENGER: Final = "messenger"
APPS: Final = (INTAKE, HANDLERS, MESSENGER)
"""The apps; each is a consumer group."""

SEEN: Final = "seen"
SENT: Final = "sent"
CONTACTS: Final = "contacts"
PARKED: Final = "parked"


def events(lane: str) -> Topic:
    return Topic(f"events.{lane}", "conversation", f"events of the tenants on lane {lane}")


def sources(lanes: Iterable[str], agents: tuple[AgentTopics, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Return the topics that each app reads, by its consumer group."""
    return {
        INTAKE: (RAW.name,),
        **{f"{HANDLERS}-{lane}": (events(lane).name,) for lane in lanes},
        MESSENGER: (COMMANDS_INTERACTIVE.name, COMMANDS_BULK.name, RECEIPTS.name),
        **sources_of(agents),
    }


def dead_letters(stage: str) -> Topic:
    """Return the dead-letter topic of a stage. The largest record of any topic fits into it with its reason."""
    return Topic(
        PREFIX + stage,
        "as it was",
        f"records that {stage} could not process",
        timedelta(days=30),
        max_message_bytes=MAX_MESSAGE_BYTES + REASON_BYTES,
    )


def changelog(app: str, table: str, ttl: timedelta) -> Topic:
    """Return the changelog topic of a table, as Faust names it. It is kept one day longer than the table's rows."""
    return Topic(
        f"{app}-{table}-changelog",
        "as the source",
        f"table {table} of {app}",
        ttl + timedelta(days=1),
        "compact,delete",
    )


def parked_changelog(app: str) -> Topic:
    """Return the changelog topic of an app's parked records. Rows stay until they are deleted, however long that is.

    A deletion stays for a week, so that a worker that returns with its volume within that time sees it.
    """
    return Topic(
        f"{app}-{PARKED}-changelog",
        "as the source",
        f"records of {app} that can't be worked on yet",
        cleanup="compact",
        max_message_bytes=MAX_MESSAGE_BYTES + REASON_BYTES,
        more={"delete.retention.ms": str(7 * 24 * 3_600_000)},
    )


CONTACTS_CHANGELOG: Final = Topic(
    f"{MESSENGER}-{CONTACTS}-changelog",
    "as the source",
    "when people last wrote, and who declined marketing",
    cleanup="compact",
)


def agent_topics(agent: AgentTopics) -> list[Topic]:
    """Return the topics that belong to one agent beside the handlers."""
    app = agent.entry.app
    own = [] if agent.is_plain else [dead_letters(app), parked_changelog(app)]
    return own + [
        Topic(f"{app}-{table}-changelog", "as the source", f"table {table} of {app}", cleanup="compact")
        for table in agent.tables
    ]


def _kept_for(topic: Topic, least: timedelta) -> Topic:
    """Return the topic with at least this retention."""
    return replace(topic, retention=max(topic.retention, least))


def catalogue(
    lanes: Iterable[str],
    *,
    dedup_ttl: timedelta,
    outcome_ttl: timedelta,
    command_retention: timedelta = COMMANDS_BULK.retention,
    agents: Iterable[AgentTopics] = (),
) -> list[Topic]:
    """Return every topic of an installation with these lanes.

    `command_retention` is for how long commands must be kept at least (`lifetimes.required_retention`). An upload is
    kept longer, because its send may have waited for its handler first.
    """
    return [
        RAW,
        *(events(lane) for lane in lanes),
        *(_kept_for(topic, command_retention) for topic in COMMANDS),
        replace(UPLOADS, retention=RAW.retention + command_retention),
        OUTCOMES,
        RECEIPTS,
        *(dead_letters(stage) for stage in STAGES),
        changelog(INTAKE, SEEN, dedup_ttl),
        changelog(MESSENGER, SENT, outcome_ttl),
        CONTACTS_CHANGELOG,
        parked_changelog(MESSENGER),
        *(parked_changelog(f"{HANDLERS}-{lane}") for lane in lanes),
        *(topic for agent in agents for topic in agent_topics(agent)),
        CONTROLS,
        INSTALLATION,
    ]
