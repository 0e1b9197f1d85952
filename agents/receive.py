"""receive: a receipt → the messenger's table, so that the outcome of a command in doubt becomes known."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.messenger.command_state import UNRESOLVED, CommandPhase, CommandState, decode_state
from pipeline.runtime import Stage, StageContext
from pipeline.topics.catalogue import SENT
from pipeline.topics.codec import decode_receipt
from pipeline.topics.records import ConsumedRecord, Record


def receive() -> Stage:
    def record_receipt(record: ConsumedRecord, context: StageContext) -> Iterable[Record]:
        receipt, table = decode_receipt(record), context.table(SENT)
        state = decode_state(table.get(receipt.command_id))
        if state is None or state.phase in UNRESOLVED:
            known = state or CommandState(CommandPhase.RECEIPT, 0.0)
            received = known._replace(
                phase=CommandPhase.RECEIPT, updated_at=record.timestamp / 1000, message_id=receipt.message_id
            )
            table.put(receipt.command_id, received.encode())
        return ()

    return Stage("receive", record_receipt)
