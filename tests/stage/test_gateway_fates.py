"""The statuses of gateways, as they come, name the message that the gateway answered to the call."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.agents.parse import parse
from pipeline.agents.receive import receive
from pipeline.agents.route import route
from pipeline.messenger.fates import Fates
from pipeline.providers import JOINED_BY_MESSAGE, PROVIDERS, WINDOWED
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics import codec, headers
from pipeline.topics.catalogue import CONTACTS, RECEIPTS, SENT
from tests.unit.messenger.test_contacts import Rows
from tests.unit.messenger.test_fates import _first

CHAT = "15550001111@s.whatsapp.net"
ACK: dict[str, Any] = {
    "event": "message.ack",
    "session": "1",
    "payload": {"id": "true_15550001111@c.us_A", "from": "15550001111@c.us", "fromMe": True, "ackName": "READ"},
}
UPDATE: dict[str, Any] = {
    "event": "messages.update",
    "data": {"key": {"id": "3EB0", "fromMe": True, "remoteJid": CHAT, "msgId": 100000}, "update": {"status": 4}},
}
CASES = [("waha", ACK, "true_15550001111@c.us_A"), ("wawp", ACK, "A"), ("wasender", UPDATE, "100000")]


@pytest.mark.parametrize(("provider", "status", "answered"), CASES)
def test_a_gateways_status_finds_its_command(provider: str, status: dict[str, Any], answered: str) -> None:
    """A tenant on a gateway would never hear that its message was read."""
    tenant = {"id": "acme", "accounts": [{"provider": provider, "id": "1", "token": "t", "webhook_secrets": ["s"]}]}
    tenants = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))
    intake = TopologyTestDriver(
        parse(PROVIDERS), route(tenants, windowed=WINDOWED, joined_by_message=JOINED_BY_MESSAGE)
    )
    named = ((headers.PROVIDER, provider.encode()), (headers.ACCOUNT, b"1"))
    published = intake.pipe(TestRecord(orjson.dumps(status), b"k", named, "webhooks.raw"))
    receipts = [TestRecord.of(each) for each in published if each.topic == RECEIPTS.name]

    fates, rows = Fates(tenants, JOINED_BY_MESSAGE), Rows()
    fates.first(_first(provider, message_id=answered), rows)
    messenger = TopologyTestDriver(receive(fates), tables=[SENT, CONTACTS])
    messenger.rows(SENT).update({key.encode(): row for key, row in rows.items()})
    (record,) = messenger.pipe(*receipts)
    outcome = codec.decode_outcome(TestRecord.of(record))
    assert (outcome.command_id, outcome.status, outcome.recipient) == ("cmd-1", "read", "15550001111")
