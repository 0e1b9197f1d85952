"""receive: a receipt → the messenger's table, so that a send that may not have been done is known to have been."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.messenger.command_state import UNSETTLED, Standing, State, decode
from pipeline.runtime import Stage, StageContext
from pipeline.topics.catalogue import SENT
from pipeline.topics.codec import decode_receipt
from pipeline.topics.records import Incoming, Record


def receive() -> Stage:
    def note(record: Incoming, context: StageContext) -> Iterable[Record]:
        receipt, rows = decode_receipt(record), context.table(SENT)
        standing = decode(rows.get(receipt.command_id))
        if standing is None or standing.state in UNSETTLED:
            known = standing or Standing(State.RECEIPT, 0.0)
            told = known._replace(state=State.RECEIPT, at=record.timestamp / 1000, detail=receipt.message_id)
            rows.put(receipt.command_id, told.encode())
        return ()

    return Stage("receive", note)
