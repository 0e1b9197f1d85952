"""WAHA and Wawp: what is no message that somebody wrote to the business, though it comes as one."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.topics.events import AccountEvent, MessageEvent, UnknownEvent
from tests.support.gateway_engines import ENGINES
from tests.support.gateway_webhooks import ANA, OWN, SESSION, Json, case, event_of, text, webhook

GATEWAYS = ["waha", "wawp"]
SERVICE = [
    *("e2e_notification", "notification_template", "gp2", "call_log", "protocol", "ciphertext", "revoked", "album"),
    *("broadcast_notification", "group_notification", "notification", "debug", "oversized", "unknown", "hsm"),
    *("groups_v4_invite", "payment", "product", "order", "native_flow", "pinned_message"),
]
"""Types of WhatsApp Web that are no text of a user's."""


def _empty(**data: Any) -> Json:
    return text(1, body="", media=None, _data=data)


PLACEHOLDERS: list[tuple[Json, str]] = [
    (_empty(type="ciphertext"), "message.ciphertext"),
    (_empty(type="chat"), "message.chat"),
    (_empty(), "message.unknown"),
    (text(1, body=None, _data=None), "message.unknown"),
    (text(1, body=None, type="ciphertext"), "message.ciphertext"),
    (_empty(message={}, messageStubType=2), "message.ciphertext"),
    (_empty(message=None, messageStubType="CIPHERTEXT"), "message.ciphertext"),
    (_empty(Info={"ID": "3EB00001"}, Message=None), "message.unknown"),
    (_empty(message={"messageContextInfo": {}}), "message.unknown"),
    (_empty(message={"placeholderMessage": {"type": 0}}), "message.placeholder"),
    (_empty(Message={"senderKeyDistributionMessage": {"groupID": "1@g.us"}}), "message.senderKeyDistribution"),
    (text(1, body="caption", hasMedia=True, media=None, _data=None), "message.unknown"),
]
"""What stands where a message is not yet."""


def after_deduplication(provider: str, *contents: Json) -> list[Any]:
    """The events that are left when each id counts once, the first that has it."""
    found: dict[str, Any] = {}
    for content in contents:
        event = event_of(provider, content)
        found.setdefault(event.event_id, event)
    return list(found.values())


@pytest.mark.parametrize("provider", GATEWAYS)
@pytest.mark.parametrize("event", ["message", "message.any"])
@pytest.mark.parametrize("kind", SERVICE)
@pytest.mark.parametrize("body", ["", None, "the words of the notice"])
def test_a_service_notice_is_no_text(provider: str, event: str, kind: str, body: str | None) -> None:
    """A bot would answer "I did not understand" to a call, a new lock or a deleted message."""
    for payload in (text(1, body=body, _data={"type": kind}), text(1, body=body, type=kind, _data=None)):
        found = event_of(provider, webhook(event, payload))
        assert isinstance(found, UnknownEvent)
        assert found.user is not None
        assert (found.event_type, found.part, found.user.phone_number) == (f"message.{kind}", payload, "15550001111")


@pytest.mark.parametrize("kind", ["x" * 100_000, "two words", "é", "a:b"])
def test_a_type_that_is_no_name_is_unknown(kind: str) -> None:
    """An id of a webhook's own length would be kept for a week, and stand in every label."""
    found = event_of("waha", webhook("message", _empty(type=kind)))
    assert (found.event_type, found.event_id) == ("message.unknown", f"waha:{SESSION}:3EB00001:notice:unknown")


@pytest.mark.parametrize("provider", GATEWAYS)
def test_the_reported_notice_is_no_text(provider: str) -> None:
    """The same, as it was reported."""
    found = event_of(provider, *case("waha-service-notice"))
    assert isinstance(found, UnknownEvent)
    assert (found.event_type, found.event_id) == (
        "message.e2e_notification",
        f"{provider}:{SESSION}:E1:notice:e2e_notification",
    )


@pytest.mark.parametrize("provider", GATEWAYS)
@pytest.mark.parametrize(
    ("held", "name"),
    [
        ({"protocolMessage": {"type": 5, "key": {"id": "A"}}}, "message.protocol"),
        ({"pinInChatMessage": {"type": 1}}, "message.pinInChat"),
        ({"groupInviteMessage": {"groupJid": "1@g.us", "caption": "Join"}}, "message.groupInvite"),
        ({"messageContextInfo": {}, "hologramMessage": {}}, "message.hologram"),
    ],
)
@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_what_the_protocol_has_no_model_for_is_no_text(provider: str, held: Json, name: str, engine: str) -> None:
    """The same on the engines that name what it is in the protocol's words. It is content: it has the message's id."""
    for body in (None, "", "Join"):
        found = event_of(provider, webhook("message", ENGINES[engine](held) | {"body": body}))
        assert isinstance(found, UnknownEvent)
        assert (found.event_type, found.event_id) == (name, f"{provider}:{SESSION}:3EB00001")


@pytest.mark.parametrize(
    "message", [{"messageContextInfo": {}}, {"extendedTextMessage": {"text": 5}}, {"conversation": None}, {}]
)
def test_a_text_that_only_the_gateway_could_read_is_a_text(message: Json) -> None:
    """A message would be lost because an engine's data have an odd shape."""
    event = event_of("waha", webhook("message", text(1, body="Hello", _data={"message": message})))
    assert event.get_message_text() == "Hello"


def test_a_file_of_a_foreign_type_is_a_file() -> None:
    """A photo in a kind of message that is new would not arrive."""
    media = {"url": "https://files.example/x", "mimetype": "image/jpeg"}
    event = event_of("waha", webhook("message", text(1, hasMedia=True, media=media, _data={"type": "hologram"})))
    assert event.message.type == "image"


@pytest.mark.parametrize("provider", GATEWAYS)
@pytest.mark.parametrize(("placeholder", "name"), PLACEHOLDERS)
@pytest.mark.parametrize("order", list(permutations((0, 1))))
def test_a_placeholder_hides_nothing(provider: str, placeholder: Json, name: str, order: tuple[int, ...]) -> None:
    """A message that could not be decrypted at once would be dropped as a duplicate when it can: nobody answers."""
    payloads = [placeholder, text(1, body="the real text", _data={"type": "chat"})]
    posted = [webhook(event, payloads[at]) for event in ("message", "message.any") for at in order]
    found = after_deduplication(provider, *posted, *posted)
    texts = [each.get_message_text() for each in found if isinstance(each, MessageEvent)]
    assert (texts, {each.event_type for each in found}) == (["the real text"], {name, "message.text"})
    assert len(found) == 2


@pytest.mark.parametrize("provider", GATEWAYS)
def test_the_reported_placeholder_and_its_message(provider: str) -> None:
    """The same, as it was reported."""
    found = after_deduplication(provider, *case("waha-ciphertext-then-real"))
    assert [each.event_type for each in found] == ["message.ciphertext", "message.text"]
    assert [each.event_id for each in found] == [
        f"{provider}:{SESSION}:3EB0B1:notice:ciphertext",
        f"{provider}:{SESSION}:3EB0B1",
    ]


def test_the_placeholder_of_an_echo_hides_no_echo() -> None:
    """What was written on the business' phone would be missing in every report."""
    ours = {"id": f"true_{ANA}_A", "from": OWN, "to": ANA, "fromMe": True}
    posted = [webhook("message.any", payload | ours) for payload in (PLACEHOLDERS[0][0], text(1, body="Sold!"))]
    found = after_deduplication("waha", *posted)
    assert [type(each) for each in found] == [AccountEvent, AccountEvent]
    assert [each.message.text_content for each in found if each.message] == ["Sold!"]


_held = st.sampled_from([payload for payload, _ in PLACEHOLDERS])
_real = text(1, body="the real text", _data={"type": "chat"})


@given(st.lists(st.one_of(_held, st.just(_real)), min_size=1, max_size=8), st.sampled_from(GATEWAYS))
def test_whatever_comes_first_the_real_message_arrives_once(deliveries: list[Json], provider: str) -> None:
    """In some order of placeholders, retries and the message a user would be answered never, or twice."""
    found = after_deduplication(provider, *(webhook("message", payload) for payload in deliveries))
    texts = [each.get_message_text() for each in found if isinstance(each, MessageEvent)]
    assert texts == ["the real text"] * min(1, deliveries.count(_real))
