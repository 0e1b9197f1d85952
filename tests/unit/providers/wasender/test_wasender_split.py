"""One webhook into one slice for each chat, and no secret in any of them."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.providers.wasender.fingerprint import fingerprint, replace_secrets
from pipeline.providers.wasender.split import split_webhook
from pipeline.tenants import Account, Tenants, TenantsFile
from tests.support.wasender_webhooks import (
    ANA,
    GROUP,
    KEY,
    SECRETS,
    SESSION,
    TENANTS,
    Json,
    events,
    examples,
    key,
    received,
    request,
    slices,
    text,
    webhook,
    webhooks,
)

PREFIX = f"wasender:{SESSION}"
HIDDEN = fingerprint(KEY.encode()).decode()


def account() -> Account:
    found = TENANTS.account("wasender", SESSION)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("told", "chat"),
    [
        (key("A"), ANA),
        (key("A", remoteJid=f"{ANA}:12@s.whatsapp.net"), ANA),
        (key("A", remoteJid=f"{ANA}@c.us"), ANA),
        (key("A", remoteJid="777000111@lid"), "777000111@lid"),
        (key("A", remoteJid="777000111:3@lid"), "777000111@lid"),
        (key("A", remoteJid="777000111@lid", cleanedSenderPn=ANA), ANA),
        (key("A", remoteJid="777000111@lid", cleanSenderPn=ANA), ANA),
        (key("A", remoteJid="777000111@lid", senderPn=f"{ANA}@s.whatsapp.net"), ANA),
        (key("A", remoteJid="777000111@lid", remoteJidAlt=f"{ANA}@s.whatsapp.net"), ANA),
        (key("A", remoteJid="777000111@lid", senderPn=None, cleanedSenderPn=""), "777000111@lid"),
        (key("A", remoteJid="777000111@lid", senderPn="15559990000@s.whatsapp.net", fromMe=True), "777000111@lid"),
        (key("A", remoteJid=GROUP, participant="777000111@lid", participantPn=f"{ANA}@s.whatsapp.net"), GROUP),
        (key("A", remoteJid="120363111111111111@newsletter"), "120363111111111111@newsletter"),
        (key("A", remoteJid="status@broadcast", participant=f"{ANA}@s.whatsapp.net"), "status@broadcast"),
    ],
)
def test_the_chat_is_named_by_the_number_where_it_is_told(told: Json, chat: str) -> None:
    """One person would be two conversations, or a group's members one each, and answers would overtake each other."""
    (part,) = slices(received({"key": told, "message": {"conversation": "x"}}))
    assert (part.key, part.account) == (f"{PREFIX}:{chat}", SESSION)


def test_the_three_events_of_one_message_are_one() -> None:
    """Whoever subscribes to all of them would answer everything three times."""
    names = ["messages.upsert", "messages.received", "messages.recieved", "messages-personal.received"]
    found = [event for name in names for event in events(received(text("3EB0"), name))]
    hidden = text("3EB0") | {"key": key("3EB0", remoteJid="777000111@lid", cleanedSenderPn=ANA)}
    found += events(webhook("messages.upsert", {"messages": [hidden]}))
    found += events(webhook("messages.upsert", text("3EB0")))
    assert {(event.event_id, event.conversation) for event in found} == {(f"{PREFIX}:3EB0", f"{PREFIX}:{ANA}")}


@given(webhooks)
def test_slices_hold_every_part_once_and_in_order(content: Json) -> None:
    """A batch would lose messages, or answer them in another order."""
    parts = slices(content)
    assert len({part.key for part in parts}) == len(parts)
    held = [each for part in parts for each in orjson.loads(part.body)["data"]["messages"]]
    assert sorted(held, key=orjson.dumps) == sorted(content["data"]["messages"], key=orjson.dumps)
    for part in parts:
        chosen = orjson.loads(part.body)["data"]["messages"]
        assert chosen == [each for each in content["data"]["messages"] if each in chosen]


def test_one_chat_stays_as_it_came() -> None:
    """What is kept would not be what the provider sent."""
    body = b' {"event" : "messages.received", "data":{"messages": ' + orjson.dumps(text("3EB0")) + b'}, "x": 1.0}'
    (part,) = slices(body)
    assert part.body == body


@pytest.mark.parametrize(
    "content",
    [
        webhook("messages.received", {"messages": text("A")}, sessionId=KEY),
        webhook("messages.received", {"messages": text("A")}, sessionId="the-key-before-the-last-rotation"),
        webhook("session.status", {"status": "connected", "sessionId": KEY}),
        webhook("messages.received", {"messages": text("A", body=f"my key is {KEY}, and {SECRETS[1]}")}),
        webhook("hologram", {"deep": [{"er": {"sessionId": KEY, KEY: [SECRETS[0]]}}]}, apiKeyId=KEY),
        webhook("qrcode.updated", {"qr": "2@AbCd-the-key-before-the-last-rotation", "sessionId": KEY}),
        webhook("messages.upsert", {"messages": [text("A"), text("B", "15550002222")]}, sessionId=KEY),
    ],
)
def test_no_key_and_no_secret_goes_on(content: Json) -> None:
    """Whoever can read a topic could send in the business' name, or forge its webhooks."""
    for part in slices(content):
        for secret in (KEY, *SECRETS, "the-key-before-the-last-rotation"):
            assert secret.encode() not in part.body
        assert b"sha256:" in part.body


def test_a_session_that_is_named_by_its_id_keeps_it() -> None:
    """Nobody could tell the sessions of a tenant apart."""
    content = webhook("session.status", {"status": "connected", "session_id": "session-7"}, sessionId=SESSION)
    (part,) = slices(content)
    assert orjson.loads(part.body) == content


def test_the_same_key_has_the_same_fingerprint() -> None:
    """A redelivery would look like another webhook, and a rotation could not be seen."""
    (part,) = slices(webhook("qrcode.updated", {"qr": "2@AbCd"}, sessionId=KEY))
    assert orjson.loads(part.body)["sessionId"] == HIDDEN
    assert replace_secrets(part.body, account()) == part.body


@pytest.mark.parametrize("body", [b'{"sessionId": "%b", "cut', b"%b", b'["%b"]', b'{"sessionId":"%b"}' + b"[" * 2000])
def test_what_is_no_webhook_holds_no_secret_either(body: bytes) -> None:
    """The dead letters would hold the key."""
    (part,) = slices(body % KEY.encode())
    assert part.body == body % HIDDEN.encode()
    assert part.key == PREFIX


SLASHED = 'a/key\\with "quotes"/and ü'


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("slashed", [True, False])
def test_a_key_is_found_however_it_is_written(ascii_only: bool, slashed: bool) -> None:
    """The encoder of another language would let the key through."""
    key_of_ours = SecretStr(SLASHED)
    written = json.dumps({"data": f"<{key_of_ours.get_secret_value()}>"}, ensure_ascii=ascii_only)
    body = (written.replace("/", "\\/") if slashed else written).encode()
    found = replace_secrets(body, replace(account(), token=key_of_ours))
    hidden = fingerprint(key_of_ours.get_secret_value().encode()).decode()
    assert orjson.loads(found) == {"data": f"<{hidden}>"}


@given(st.text())
def test_what_people_write_stays(words: str) -> None:
    """A customer's message would reach the handler with holes in it."""
    content = received(text("3EB0", body=words))
    (part,) = slices(content)
    assert orjson.loads(part.body) == content


def test_what_looks_like_a_key_inside_a_text_stays() -> None:
    """A developer who writes to the business about its API would be misquoted."""
    words = '{"sessionId": "not-ours", "qr": "2@x"}'
    assert orjson.loads(slices(received(text("3EB0", body=words)))[0].body)["data"]["messages"]["messageBody"] == words


def test_of_sessions_with_one_secret_the_named_one_is_meant() -> None:
    """A tenant's second session would be taken for its first."""
    sessions = [
        {"provider": "wasender", "id": name, "token": f"{name}-api-key", "webhook_secrets": ["shared-secret"]}
        for name in ("one", "two")
    ]
    known = Tenants(TenantsFile.model_validate({"tenants": [{"id": "shop", "accounts": sessions}]}))
    for named, wanted in [("two-api-key", "two"), ("two", "two"), ("one-api-key", "one"), ("nobody", "one")]:
        body = orjson.dumps(webhook("session.status", {"status": "connected"}, sessionId=named))
        assert [part.account for part in split_webhook(request(body, "shared-secret"), known)] == [wanted]


def test_every_documented_webhook_is_one_slice() -> None:
    """An example of the documents would be cut, or lost."""
    assert [len(slices(example)) for example in examples()] == [1] * len(examples())
