"""route: an event → the lane of the tenant that owns its account.

A webhook that was authenticated for one tenant never becomes an event of another, whatever account its body names. A
status of a message that this project sent also goes to the messenger, as a receipt; so does, once for each batch and
account, who wrote. A message that is too old gets a header that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pipeline.errors import ForeignAccount, UnknownTenant
from pipeline.runtime import Stage, StageContext
from pipeline.tenants import Tenants
from pipeline.topics import catalogue, headers
from pipeline.topics.codec import encode_event, encode_receipt
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.freshness import stale_age
from pipeline.topics.inbound import InboundNotes
from pipeline.topics.receipts import inbound_receipt, receipt_of
from pipeline.topics.records import Record, header


def route(
    tenants: Tenants,
    max_event_age: float = 0,
    *,
    windowed: Collection[str] = (),
    joined_by_message: Collection[str] = (),
) -> Stage:
    lanes, notes = {lane: catalogue.events(lane).name for lane in tenants.lanes}, InboundNotes(windowed)

    def to_lane(event: ParsedEvent, context: StageContext) -> Iterable[Record]:
        provider, account = event.provider, event.account
        tenant = tenants.owner(provider, account)
        if tenant is None:
            raise UnknownTenant(f"no tenant owns {provider} account {account}: add it to the tenants file")
        came_as = header(context.record.headers, headers.TENANT)
        if came_as is not None and came_as != tenant.id:
            raise ForeignAccount(f"it came as a webhook of {came_as}; {provider} account {account} is {tenant.id}'s")
        age = stale_age(event, context.record, max_event_age) if max_event_age else None
        record = encode_event(event, lanes[tenant.lane], tenant.id, context.record, age)
        notes.add(event, tenant.refusals, context.record.timestamp)
        receipt = receipt_of(event, joined_by_message)
        return (record, encode_receipt(receipt, provider, account)) if receipt else (record,)

    def people() -> Iterable[Record]:
        return [encode_receipt(inbound_receipt(found), *account) for *account, found in notes.take()]

    return Stage("route", to_lane, people)
