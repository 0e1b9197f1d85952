"""Commands that wait: texts of one number to many people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from bench import webhooks
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import PREFIX, Command, CommandKind
from pipeline.topics.records import Record

_HOLE: Final = b"@" * 32
_RECIPIENT: Final = b"#" * 11


def record(number: int, _topic: str) -> Record:
    """Command `number`: one template with its id and its recipient put in, since a million models take a minute."""
    recipient = webhooks.contact(number).encode()
    value = _TEMPLATE.value.replace(_HOLE, b"%032x" % number).replace(_RECIPIENT, recipient)
    headers = [(name, text.replace(_HOLE, b"%032x" % number)) for name, text in _TEMPLATE.headers]
    return _TEMPLATE._replace(value=value, headers=headers)


_TEMPLATE: Final = encode_command(
    Command(
        command_id=PREFIX + _HOLE.decode(),
        tenant_id=webhooks.TENANT,
        provider="cloud",
        account=webhooks.ACCOUNT,
        recipient=_RECIPIENT.decode(),
        kind=CommandKind.TEXT,
        body={"text": "Your order has left our house. It will be with you on Monday.", "preview_url": False},
        created_at=datetime.now(UTC),
    )
)
