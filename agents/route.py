"""route: an event → the lane of the tenant that owns its account.

A status of a message that this project sent goes to the messenger too, as a receipt.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import UnknownTenant
from pipeline.runtime import Scope, Stage
from pipeline.tenants import Tenants
from topics import catalogue
from topics.codec import encode_event, encode_receipt
from topics.events.wire import WireEvent
from topics.receipts import receipt_of
from topics.records import Record


def route(tenants: Tenants) -> Stage:
    lanes = {lane: catalogue.events(lane).name for lane in tenants.lanes}

    def to_lane(event: WireEvent, scope: Scope) -> Iterable[Record]:
        provider, account = event.body["provider"], event.body["account"]
        tenant = tenants.owner(provider, account)
        if tenant is None:
            raise UnknownTenant(f"no tenant owns {provider} account {account}: add it to the tenants file")
        record = encode_event(event, lanes[tenant.lane], tenant.id, scope.record)
        receipt = receipt_of(event)
        return (record, encode_receipt(receipt, provider, account)) if receipt else (record,)

    return Stage("route", to_lane)
