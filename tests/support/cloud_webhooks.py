"""Cloud webhooks for tests: builders, the documented examples, and strategies that make many."""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from hypothesis import strategies as st

from pipeline.providers.base import WebhookRequest
from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics.records import Header

WABA = "900800700600500"
NUMBER = "100200300400500"
SECRETS = ("current-app-secret", "previous-app-secret")
EXAMPLES = Path(__file__).parents[1] / "data" / "cloud"

Json = dict[str, Any]


class Raw(NamedTuple):
    """A record of `webhooks.raw` as a consumer has it."""

    value: bytes | None
    headers: Sequence[Header] = ()
    key: bytes | None = None
    topic: str = "webhooks.raw"
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_760_000_000_500


def tenants() -> Tenants:
    app = {"id": "app", "app_secrets": list(SECRETS), "verify_token": "verify-me"}
    account = {"provider": "cloud", "id": NUMBER, "business_id": WABA, "token": "t"}
    return Tenants(
        TenantsFile.model_validate({"cloud_apps": [app], "tenants": [{"id": "acme", "accounts": [account]}]})
    )


def signature(body: bytes, secret: str = SECRETS[0]) -> str:
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def signed(body: bytes, secret: str = SECRETS[0]) -> WebhookRequest:
    return WebhookRequest(body, {"x-hub-signature-256": signature(body, secret)}, {})


def text(message_id: str, sender: str = "15550001111", body: str = "Hello", **more: Any) -> Json:
    return {"from": sender, "id": message_id, "timestamp": "1760000000", "type": "text", "text": {"body": body}} | more


def status(message_id: str, name: str = "sent", recipient: str = "15550001111", **more: Any) -> Json:
    return {"id": message_id, "status": name, "timestamp": "1760000002", "recipient_id": recipient} | more


def contact(wa_id: str = "15550001111", name: str = "Ana", **more: Any) -> Json:
    return {"profile": {"name": name}, "wa_id": wa_id} | more


def value(number: str = NUMBER, **lists: Any) -> Json:
    metadata = {"display_phone_number": "15559990000", "phone_number_id": number}
    return {"messaging_product": "whatsapp", "metadata": metadata} | lists


def webhook(*values: Json, field: str = "messages", waba: str = WABA) -> Json:
    changes = [{"field": field, "value": each} for each in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": waba, "changes": changes}]}


def merged(*webhooks: Json) -> Json:
    """One POST with the entries of several."""
    return {"object": "whatsapp_business_account", "entry": [e for each in webhooks for e in each["entry"]]}


class Example(NamedTuple):
    """A documented webhook: what it is in words, the types of the events that it holds, and its body."""

    name: str
    events: list[str]
    body: Json


def named_examples() -> Iterator[Example]:
    """Every webhook of the Cloud API's documents; elements are put into the envelope that they come in."""
    for each in orjson.loads((EXAMPLES / "examples.json").read_bytes()):
        form = next(name for name in _FORMS if name in each)
        yield Example(each["name"], each["events"], _FORMS[form](each[form]))


def examples() -> Iterator[Json]:
    return (example.body for example in named_examples())


_FORMS: dict[str, Callable[[Json], Json]] = {
    "webhook": lambda whole: whole,
    "value": webhook,
    "message": lambda each: webhook(value(messages=[each])),
    "status": lambda each: webhook(value(statuses=[each])),
    "fragment": lambda each: webhook(value(messages=[text("wamid.F") | each])),
}


PHONES = [f"1555000{n:04d}" for n in range(4)]
_serial = itertools.count()
_ids = st.builds(lambda: f"wamid.{next(_serial)}")
_bsuid = st.sampled_from([None, "US.1", "US.2"])


@st.composite
def _message(draw: st.DrawFn) -> Json:
    made = text(draw(_ids), draw(st.sampled_from(PHONES)))
    user_id, group = draw(_bsuid), draw(st.sampled_from([None, None, "group-1"]))
    image = {"type": "image", "image": {"id": "1"}} if draw(st.booleans()) else {}
    return made | ({"from_user_id": user_id} if user_id else {}) | ({"group_id": group} if group else {}) | image


_status = st.builds(status, _ids, st.sampled_from(["sent", "delivered", "read", "failed"]), st.sampled_from(PHONES))
_action = st.builds(lambda n: {"action_type": "click", "timestamp": str(n)}, st.integers(1, 10**9))
_error = st.builds(lambda code: {"code": code, "title": "t"}, st.integers(0, 200000))
_contact = st.builds(
    lambda phone, user: contact(phone) | ({"user_id": user} if user else {}), st.sampled_from(PHONES), _bsuid
)


@st.composite
def _values(draw: st.DrawFn) -> Json:
    lists = {
        "contacts": draw(st.lists(_contact, max_size=4, unique_by=lambda each: each["wa_id"])),
        "messages": draw(st.lists(_message(), max_size=4)),
        "statuses": draw(st.lists(_status, max_size=4)),
        "errors": draw(st.lists(_error, max_size=2)),
        "user_actions": draw(st.lists(_action, max_size=2)),
    }
    return value(draw(st.sampled_from([NUMBER, "2"])), **{name: each for name, each in lists.items() if each})


_account_level = st.builds(
    lambda n: webhook({"event": "PAUSED", "message_template_id": n}, field="message_template_status_update"),
    st.integers(1, 10**6),
)
_usual = st.builds(webhook, _values(), _values(), waba=st.sampled_from([WABA, "7"]))
webhooks = st.lists(st.one_of(_usual, _account_level), min_size=1, max_size=3).map(lambda many: merged(*many))
"""Batches of every kind of part, for several conversations and accounts."""

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
"""Any JSON."""


@st.composite
def disfigured(draw: st.DrawFn) -> Json:
    """A webhook in which up to three values, anywhere, are something else."""
    whole: Json = orjson.loads(orjson.dumps(draw(st.one_of(webhooks, st.sampled_from(list(examples()))))))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(places(whole))))
        holder[key] = draw(anything)
    return whole


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in list(items):
        yield node, key
        yield from places(child)
