"""Half of a surrogate pair, and a byte order mark: neither costs more than itself. Every way in, every way out."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord
from pipeline.handlers import IMessenger
from pipeline.handlers.command_factory import Request, queue
from pipeline.providers import PROVIDERS
from pipeline.runtime.flows.dead_letters import dead_letter
from pipeline.state import encoding, keys
from pipeline.testing import TestRecord
from pipeline.topics.codec import decode_command, encode_command
from pipeline.topics.commands import CommandKind
from pipeline.topics.events import MessageEvent, decode
from pipeline.topics.events.messages import InteractiveMessage
from pipeline.topics.headers import ACCOUNT
from pipeline.topics.records import header
from pipeline.unicode import loads, well_formed
from tests.support import gateway_webhooks, wasender_webhooks
from tests.support.cloud_webhooks import Raw, contact, signed, tenants, text, value, webhook
from tests.support.messengers import call, commands_of

HALF = "\ud83d"
BOM = b"\xef\xbb\xbf"
TEXTS = st.text(st.characters(exclude_categories=()), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


@given(JSON)
def test_any_json_text_is_read(content: Any) -> None:
    """A cut emoji would be no JSON here and JSON everywhere else."""
    whole = json.loads(json.dumps(content))  # pairs of surrogates are one character now
    expected = well_formed(whole)
    for spelt in (json.dumps(content), json.dumps(content).encode(), BOM + json.dumps(content).encode()):
        assert loads(spelt) == expected
    orjson.dumps(expected)


@given(st.text())
def test_proper_texts_stay_as_they_are(given_: str) -> None:
    """A message would be sent otherwise than it was written."""
    assert well_formed({"a": [given_]}) == {"a": [given_]}


def test_an_escaped_backslash_is_no_escape() -> None:
    r"""Somebody who writes about `\ud83d` would read something else."""
    assert loads(rb'["\\ud83d", "\\\ud83d", "\ud83d\ude00"]') == ["\\ud83d", "\\\ufffd", "\U0001f600"]


def test_the_innocent_are_not_lost_with_a_cut_emoji() -> None:
    """The whole batch, other people's messages too, would be a dead letter that no redrive can help."""
    messages = [text("wamid.1", body=f"cut {HALF}"), text("wamid.2", "15550002222")]
    batch = webhook(value(contacts=[contact(), contact("15550002222")], messages=messages))
    body = json.dumps(batch).encode()
    slices = PROVIDERS["cloud"].split(signed(body), tenants())
    events = [decode(Raw(wire.encode("acme"))) for part in slices for wire in PROVIDERS["cloud"].parse(Raw(part.body))]
    assert len(slices) == 2
    assert [event.get_message_text() for event in events if isinstance(event, MessageEvent)] == ["cut \ufffd", "Hello"]


@pytest.mark.parametrize("provider", ["cloud", "wasender", "waha", "wawp"])
def test_every_provider_reads_a_cut_emoji_and_a_byte_order_mark(provider: str) -> None:
    """A message would be a dead letter that its sender never hears of."""
    whole = {
        "cloud": webhook(value(contacts=[contact()], messages=[text("wamid.1", body=f"a{HALF}b")])),
        "wasender": wasender_webhooks.received(wasender_webhooks.text("A", body=f"a{HALF}b")),
    }.get(provider, gateway_webhooks.webhook("message", gateway_webhooks.text(1, body=f"a{HALF}b")))
    account = wasender_webhooks.SESSION if provider == "wasender" else gateway_webhooks.SESSION
    record = TestRecord(BOM + json.dumps(whole).encode(), headers=((ACCOUNT, account.encode()),))
    (wire,) = PROVIDERS[provider].parse(record)
    event = decode(TestRecord(wire.encode("acme")))
    assert isinstance(event, MessageEvent)
    assert event.get_message_text() == "a\ufffdb"


def test_the_answers_of_a_form_are_read() -> None:
    """A form with a cut emoji in one answer would come without any answer."""
    reply = {"type": "nfm_reply", "nfm_reply": {"response_json": r'{"a":"\ud83d","b":1}'}}
    found = InteractiveMessage.model_validate(text("wamid.1") | {"type": "interactive", "interactive": reply})
    assert found.interactive is not None
    assert found.interactive.nfm_reply is not None
    assert found.interactive.nfm_reply.response == {"a": "\ufffd", "b": 1}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("send_text", {"text": f"cut {HALF}"}),
        ("send_text", {"text": "x", "reply_to_message_id": f"wamid.{HALF}"}),
        ("send_button_message", {"body": f"b{HALF}", "buttons": [{"id": "a", "title": f"t{HALF}"}]}),
        (
            "send_text_template",
            {"template_name": "t", "language_code": "en_US", "body_parameters": [{"type": "text", "text": HALF}]},
        ),
    ],
    ids=str,
)
def test_a_cut_emoji_in_a_send_costs_no_send(method: str, arguments: Any) -> None:
    """Everything that a hook sends would be lost, and its event be a dead letter."""
    result, commands = call(method, {"recipient": "15550001111", **arguments})
    assert result.success
    (command,) = commands
    sent = decode_command(TestRecord.of(encode_command(command)))
    assert "\ufffd" in sent.model_dump_json()


@given(st.sampled_from(CommandKind), st.dictionaries(TEXTS, JSON, max_size=3), TEXTS)
def test_whatever_a_handler_sends_can_be_written(kind: CommandKind, body: dict[str, Any], recipient: str) -> None:
    """One text that is no proper Unicode would take all sends of its event along."""

    async def hook(_: IMessenger) -> None:
        queue(Request(kind, recipient, body, reply_to=recipient))

    for command in commands_of(hook):
        assert decode_command(TestRecord.of(encode_command(command))) == command


def test_what_is_stored_in_a_cache_is_stored_without_it() -> None:
    """A user's state would be lost, and his event be a dead letter, for what he wrote."""
    assert encoding.decode(encoding.encode({"a": [HALF], HALF: 1})) == {"a": ["\ufffd"], "\ufffd": 1}
    assert encoding.decode_row(encoding.encode_row({HALF: f"x{HALF}"})) == {"\ufffd": "x\ufffd"}
    assert keys.user_key("acme", f"c{HALF}", f"k{HALF}").encode() == "{acme}:user:c%EF%BF%BD:k\ufffd".encode()
    with pytest.raises(TypeError):
        encoding.encode({"a": ()})


def test_a_dead_letter_whose_error_quotes_it_can_be_written() -> None:
    """The worker would end on it, again and again."""
    letter = dead_letter(TestRecord(b"x"), "parse", InvalidRecord(f"no {HALF}"), 1)
    assert header(letter.headers, "error-message") == r"no \ud83d"
