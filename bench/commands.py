"""Commands: texts of one number to many people, known by their numbers as webhooks are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from bench import webhooks
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import PREFIX, Command, CommandKind, Priority
from pipeline.topics.records import Record

_HOLE: Final = b"@" * 32
_RECIPIENT: Final = b"#" * 11
_NUMBER: Final = b"%" * 8
_FIRST_PERSON: Final = 15_600_000_000
_PEOPLE: Final = 100_000_000
_TEXT: Final = f"Your order number {_NUMBER.decode()} has left our house. It will be with you on Monday."


def somebody_else(number: int) -> str:
    """Return another recipient for each command, so that no limit to one person is met."""
    return str(_FIRST_PERSON + number % _PEOPLE)


def maker(
    tenant: str = webhooks.TENANT,
    account: str = webhooks.ACCOUNT,
    *,
    priority: Priority = Priority.INTERACTIVE,
    recipient: Callable[[int], str] = webhooks.contact,
    created_at: datetime | None = None,
) -> Callable[[int, str], Record]:
    """Return a function of a command's number and its topic: commands of one number, each with an id of its own.

    It puts id and recipient into one template, since a million models take a minute. A recipient has 11 digits.
    `created_at` is now by default.
    """
    template, name = _template(tenant, account, priority, created_at or datetime.now(UTC)), recipient

    def record(number: int, topic: str) -> Record:
        recipient = name(number).encode()
        value = template.value.replace(_HOLE, b"%032x" % number).replace(_RECIPIENT, recipient)
        value = value.replace(_NUMBER, b"%d" % number)
        headers = [(name, text.replace(_HOLE, b"%032x" % number)) for name, text in template.headers]
        return template._replace(topic=topic, value=value, headers=headers)

    return record


def number_of(command: Command) -> int:
    """Return the number of a command that was made here."""
    return int(command.command_id.removeprefix(PREFIX), 16)


def _template(tenant: str, account: str, priority: Priority, created_at: datetime) -> Record:
    command = Command(
        command_id=PREFIX + _HOLE.decode(),
        tenant_id=tenant,
        provider="cloud",
        account=account,
        recipient=_RECIPIENT.decode(),
        kind=CommandKind.TEXT,
        body={"text": _TEXT, "preview_url": False},
        priority=priority,
        created_at=created_at,
    )
    return encode_command(command)


record: Final = maker()
"""Makes commands of the benchmark's own number."""
