"""receive: a receipt → the messenger's tables, and the outcome that it adds to its command.

So the outcome of a command in doubt becomes known, the final fate of a send is published, and sends may be refused for
what their recipients did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipeline.messenger.code_counts import Count, do_not_count
from pipeline.messenger.command_state import UNRESOLVED, CommandPhase, CommandState, decode_state
from pipeline.messenger.contacts import note_inbound
from pipeline.messenger.failed_sends import Tell
from pipeline.messenger.fates import Fates
from pipeline.messenger.limits.rows import ReadRow
from pipeline.messenger.refusals import Refusals
from pipeline.runtime import Stage, StageContext
from pipeline.topics.catalogue import CONTACTS, SENT
from pipeline.topics.codec import decode_receipt, encode_outcome
from pipeline.topics.receipts import NO_COMMAND, Receipt
from pipeline.topics.records import ConsumedRecord, Record

Charge = Callable[[str, int, float, ReadRow], object]
"""Charges an account for so many messages that it has received at a unix time."""


def receive(
    fates: Fates | None = None,
    refusals: Refusals | None = None,
    charge: Charge = lambda *_: None,
    count: Count = do_not_count,
    tell: Tell = lambda outcome: outcome,
) -> Stage:
    joined, note = fates or Fates(), refusals.note if refusals else note_inbound

    def record_receipt(record: ConsumedRecord, context: StageContext) -> Iterable[Record]:
        receipt, account = decode_receipt(record), (record.key or b"").decode()
        if receipt.inbound is not None:
            note(account, receipt.inbound, context.table(CONTACTS))
            charge(account, receipt.inbound.messages, record.timestamp / 1000, context.table(SENT).get)
            return ()
        receipt.at = receipt.at or record.timestamp / 1000
        state = _resolve(receipt, record, context) if receipt.command_id != NO_COMMAND else None
        found = joined.next(receipt, state, account, context.table(SENT))
        return [encode_outcome(tell(each)) for each in count(found)]

    return Stage("receive", record_receipt)


def _resolve(receipt: Receipt, record: ConsumedRecord, context: StageContext) -> CommandState | None:
    """Write that the command was accepted, unless it has its outcome. Return its state before."""
    table = context.table(SENT)
    state = decode_state(table.get(receipt.command_id))
    if state is None or state.phase in UNRESOLVED:
        known = state or CommandState(CommandPhase.RECEIPT, 0.0)
        received = known._replace(
            phase=CommandPhase.RECEIPT, updated_at=record.timestamp / 1000, message_id=receipt.message_id
        )
        table.put(receipt.command_id, received.encode())
    return state
