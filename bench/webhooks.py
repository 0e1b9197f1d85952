"""The load: Cloud API text webhooks, signed as Meta signs them, and what must come of each.

A webhook is known by its number, so that whoever made it and whoever checks it need not talk to each other.
"""

from __future__ import annotations

import hmac
import re
from hashlib import blake2b
from typing import Final

import orjson

from pipeline.topics import headers
from pipeline.topics.keys import conversation_key
from pipeline.topics.records import Header, Record

TENANT: Final = "bench"
BUSINESS: Final = "102290129340398"
ACCOUNT: Final = "106540352242922"
DISPLAY_NUMBER: Final = "15559990000"
APP_SECRET: Final = b"sandbox-app-secret"
VERIFY_TOKEN: Final = "sandbox-verify-token"
TOKEN: Final = "sandbox-token"

CONTACTS: Final = 5_000
_FIRST_CONTACT: Final = 15_550_000_000
_FIRST_SECOND: Final = 1_760_000_000
_TEXT: Final = (
    "Hello, I ordered two pairs of shoes last week, in black and in size 42. The page says that they left on Monday. "
    "When will they be here?"
)
_NUMBER: Final = re.compile(rb"number (\d+)")


def contact(number: int) -> str:
    """Return the sender of webhook `number`. The order of contacts favours no partition or cache."""
    return str(_FIRST_CONTACT + number * 2_654_435_761 % CONTACTS)


def message_id(number: int) -> str:
    return f"wamid.HBgLMTU1NTAwMDExMTEVAgASGBQzRUIwQUFBQTEx{number:012d}"


def event_id(number: int) -> bytes:
    """Return the id of the event that webhook `number` becomes."""
    return f"cloud:{ACCOUNT}:{message_id(number)}".encode()


def body(number: int, account: str = ACCOUNT, sender: str = "") -> bytes:
    """Return the webhook: some 620 bytes, one text message to a number, from `sender` or one of many."""
    sender = sender or contact(number)
    message = {
        "from": sender,
        "id": message_id(number),
        "timestamp": str(_FIRST_SECOND + number // 1000),
        "type": "text",
        "text": {"body": f"{_TEXT} This is number {number}"},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": DISPLAY_NUMBER, "phone_number_id": account},
        "contacts": [{"profile": {"name": "Ana María"}, "wa_id": sender}],
        "messages": [message],
    }
    entry = {"id": BUSINESS, "changes": [{"value": value, "field": "messages"}]}
    return orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]})


def number_in(text: bytes) -> int | None:
    """Return the number of the webhook that `text` (its body, an event, a reply) comes of."""
    found = _NUMBER.search(text)
    return int(found[1]) if found else None


def signature(content: bytes) -> str:
    """Return the value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.digest(APP_SECRET, content, "sha256").hex()


def record(number: int, topic: str, account: str = ACCOUNT, tenant: str = TENANT, sender: str = "") -> Record:
    """Return the record that the ingress makes of webhook `number`, one a millisecond."""
    content = body(number, account, sender)
    digest = blake2b(content, digest_size=16).hexdigest()
    key = conversation_key("cloud", account, sender or contact(number))
    return Record(topic, key.encode(), content, _headers(digest, _FIRST_SECOND * 1000 + number, account, tenant))


def _headers(digest: str, received_at: int, account: str, tenant: str) -> tuple[Header, ...]:
    return (
        (headers.WEBHOOK_ID, f"wh-{digest}".encode()),
        (headers.RECEIVED_AT, str(received_at).encode()),
        (headers.TRACEPARENT, f"00-{digest}-{digest[:16]}-01".encode()),
        (headers.PROVIDER, b"cloud"),
        (headers.ACCOUNT, account.encode()),
        (headers.TENANT, tenant.encode()),
    )
