"""Records what this version writes to topics and tables, for the next one's `tests/unit/test_upgrade.py`.

    python -m tests.data.wire.record_records > tests/data/wire/records-VERSION.json

Run it when a version is released and keep the file: its workers run beside those of the next version.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.messenger.command_state import CommandPhase, CommandState
from pipeline.topics import codec
from pipeline.topics.commands import Command, CommandKind, Priority
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.receipts import Receipt
from pipeline.topics.records import Record

AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
WHO: Final[dict[str, Any]] = {"tenant_id": "acme", "provider": "cloud", "account": "1", "recipient": "15550001111"}
STATES: Final = (
    *(CommandState(phase, 1767268800.25, 2, "wamid.1") for phase in CommandPhase),
    *(CommandState(phase, 1767268800.25, 0, "", 3) for phase in CommandPhase),
)
COMMAND: Final = Command(
    command_id="cmd-1", event_id="e", kind=CommandKind.TEXT, body={"text": "hi"}, created_at=AT, expires_at=AT, **WHO
)
BULK: Final = Command(
    command_id="cmd-2", kind=CommandKind.READ, reply_to="cmd-1", created_at=AT, priority=Priority.BULK, **WHO
)


def _written(record: Record) -> dict[str, Any]:
    headers = [[name, value.decode()] for name, value in record.headers]
    return {"topic": record.topic, "key": record.key.decode(), "value": record.value.decode(), "headers": headers}


def main() -> None:
    outcomes = [Outcome(command_id="cmd-1", status=status, retried=1, at=AT, **WHO) for status in OutcomeStatus]
    records = [
        *(codec.encode_command(command) for command in (COMMAND, BULK)),
        *(codec.encode_outcome(outcome) for outcome in outcomes),
        codec.encode_receipt(Receipt(command_id="cmd-1", message_id="wamid.1", status="sent"), "cloud", "1"),
    ]
    rows = [state.encode().decode() for state in STATES]
    found = {"rows": rows, "records": [_written(record) for record in records]}
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
