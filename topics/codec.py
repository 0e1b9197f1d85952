"""Encode and decode the values of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from pydantic import ValidationError

from pipeline.errors import InvalidRecord
from pipeline.topics import headers
from pipeline.topics.catalogue import COMMANDS_BULK, COMMANDS_INTERACTIVE, CONTROLS, OUTCOMES, RECEIPTS
from pipeline.topics.commands import Command, Priority
from pipeline.topics.controls import OperatorControl
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.keys import account_key
from pipeline.topics.outcomes import Outcome
from pipeline.topics.receipts import Receipt, named_by_id
from pipeline.topics.records import ConsumedRecord, Header, Record
from pipeline.topics.uploads import upload_in
from pipeline.topics.versions import UPLOADS, require_readable

Model = TypeVar("Model", Command, OperatorControl, Outcome)

_encode = msgspec.json.Encoder().encode
_decode_receipt = msgspec.json.Decoder(Receipt).decode

_KEPT = frozenset(
    {
        headers.WEBHOOK_ID,
        headers.PROVIDER,
        headers.ACCOUNT,
        headers.RECEIVED_AT,
        headers.TRACEPARENT,
    }
)


def encode_event(
    event: ParsedEvent, topic: str, tenant: str, source: ConsumedRecord, stale_age: int | None = None
) -> Record:
    """Return the record of `event`, with headers of its webhook; `stale_age` is in seconds."""
    kept = [pair for pair in source.headers if pair[0] in _KEPT]
    kept += (
        (headers.TENANT, tenant.encode()),
        (headers.EVENT_ID, event.event_id.encode()),
        (headers.EVENT_TYPE, event.kind.encode()),
    )
    if stale_age is not None:
        kept.append((headers.STALE, b"%d" % stale_age))
    return Record(topic, event.conversation.encode(), event.encode(tenant), kept)


def encode_command(command: Command) -> Record:
    """Return the record of `command` on the topic of its priority, keyed by its account."""
    bulk = command.priority is Priority.BULK
    found = _headers(command)
    if upload_in(command.body) is not None:
        found.append((headers.VERSION, b"%d" % UPLOADS))
    return Record(
        COMMANDS_BULK.name if bulk else COMMANDS_INTERACTIVE.name,
        command.account_key.encode(),
        command.model_dump_json(exclude_none=True).encode(),
        found,
    )


def decode_command(record: ConsumedRecord) -> Command:
    """Decode a command. Raise `InvalidRecord`, or `NewerRecord` if it needs a newer version."""
    return _validated(Command, record)


def encode_outcome(outcome: Outcome) -> Record:
    """Return the record of `outcome`, keyed by its account."""
    value = outcome.model_dump_json(exclude_none=True).encode()
    return Record(OUTCOMES.name, outcome.account_key.encode(), value, _headers(outcome))


def decode_outcome(record: ConsumedRecord) -> Outcome:
    return _validated(Outcome, record)


def encode_receipt(receipt: Receipt, provider: str, account: str) -> Record:
    """Return the record of `receipt`, keyed as the commands of its account are."""
    return Record(RECEIPTS.name, account_key(provider, account).encode(), _encode(receipt))


def decode_receipt(record: ConsumedRecord) -> Receipt:
    """Decode a receipt. Callback data that an older intake took for a command's id is taken apart here."""
    require_readable(record)
    try:
        receipt = _decode_receipt(record.value or b"")
        return named_by_id(receipt) if "." in receipt.command_id else receipt
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRecord(f"not a receipt: {error}") from None


def encode_control(control: OperatorControl) -> Record:
    """Return the record of `control`, keyed by what it decides and about what."""
    named = {headers.TENANT: control.tenant_id, headers.PROVIDER: control.provider, headers.ACCOUNT: control.account}
    value = control.model_dump_json(exclude_none=True).encode()
    return Record(CONTROLS.name, control.key.encode(), value, _present(named))


def decode_control(record: ConsumedRecord) -> OperatorControl:
    """Decode a control. Raise `InvalidRecord`, or `NewerRecord` if it needs a newer version."""
    return _validated(OperatorControl, record)


def _headers(value: Command | Outcome) -> list[Header]:
    named = {
        headers.COMMAND_ID: value.command_id,
        headers.EVENT_ID: value.event_id,
        headers.TENANT: value.tenant_id,
        headers.PROVIDER: value.provider,
        headers.ACCOUNT: value.account,
        headers.TRACEPARENT: value.traceparent,
    }
    return _present(named)


def _present(named: Mapping[str, str | None]) -> list[Header]:
    return [(name, text.encode()) for name, text in named.items() if text is not None]


def _validated(model: type[Model], record: ConsumedRecord) -> Model:
    require_readable(record)
    try:
        return model.model_validate_json(record.value or b"")
    except ValidationError as error:
        raise InvalidRecord(f"not a {model.__name__.lower()}: {error.errors(include_input=False)[0]['msg']}") from None
