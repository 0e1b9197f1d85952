"""Masks: no id that holds a phone number is shown, one id has one mask, and nobody finds the number by trying."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pipeline import masking
from pipeline.dead_letters.format import as_json, body, page
from pipeline.errors import InvalidRecord
from pipeline.logging import bind_record, configure, get_logger
from pipeline.masking import Masker
from pipeline.runtime.flows.dead_letters import dead_letter
from pipeline.testing import TestRecord
from pipeline.topics.dead_letters import DeadLetter, DeadLetterState, parse_dead_letter
from pipeline.topics.records import ConsumedRecord

NUMBER = "15550001111"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
WAMID = "wamid." + base64.b64encode(b"\x1d\x05\x18\x0b" + NUMBER.encode() + b"\x15\x02\x00\x12\x18\x14").decode()
EVENT = f"cloud:106540352242922:{WAMID}"
KEY = f"cloud:106540352242922:{NUMBER}"

numbers = st.from_regex(r"[1-9][0-9]{7,14}", fullmatch=True)
forms = st.sampled_from(
    [
        "{0}",
        "+{0}",
        "{0}@s.whatsapp.net",
        "{0}:12@s.whatsapp.net",
        "{0}@c.us",
        "{0}@lid",
        "{0}-1600000000@g.us",
        "false_{0}@c.us_3EB0AAAA",
        "cloud:106540352242922:{0}",
        "waha:one:{0}@c.us",
        "cloud:106540352242922:wamid.HBgL:delivered:{0}",
        "to={0}",
        '{{"recipient": "{0}"}}',
        "https://api.example/v1/{0}?x=%2B{0}",
        "user_{0}",
    ]
)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    masking.configure(None, None)


@given(numbers, forms, st.sampled_from(["", "Recipient ", "failed: "]))
def test_no_number_is_left_in_a_text(number: str, form: str, before: str) -> None:
    """A log shipper would collect the phone numbers of a company's customers."""
    text = before + form.format(number)
    masked = Masker(b"k").text(text)
    assert number not in masked
    assert Masker(b"k").text(masked) == masked, "masking twice changes nothing"


@pytest.mark.parametrize(
    "written",
    [
        "+1 555 000 1111",
        "+1 (555) 000-1111",
        "+1.555.000.1111",
        "+1\u2011555\u2011000\u20111111",
        "+1\u00a0555 0001111",
    ],
)
def test_a_number_has_one_mask_however_it_is_written(written: str) -> None:
    """Lines about one person could not be found together."""
    masks = Masker(b"k")
    assert masks.text(f"call {written} now") == f"call {masks.id(NUMBER)} now"
    assert masks.field("to", written) == masks.field("contact", NUMBER) == masks.id(NUMBER)


def test_accounts_places_and_figures_are_left() -> None:
    """An operator could not tell which account, record or limit a line is about."""
    for text in (
        "no tenant owns cloud account 106540352242922",
        "cloud:106540352242922",
        "the broker takes no 44000000 bytes for events.default",
        "offset 123456789 of webhooks.raw",
        "2026-11-29T20:36:17.203951Z took 0.123456789 s",
        f"trace {TRACE}",
    ):
        assert Masker(b"k").text(text) == text
    assert Masker(b"k").field("account", "106540352242922") == "106540352242922"
    assert Masker(b"k").field("conversation", KEY).__class__ is str
    assert str(Masker(b"k").field("conversation", KEY)).startswith("cloud:106540352242922:~")


def test_the_mask_of_a_number_can_not_be_tried_out() -> None:
    """There are so few phone numbers that a plain hash of one is the number itself."""
    mine, other = Masker(b"mine").id(NUMBER), Masker(b"other").id(NUMBER)
    assert mine != other
    plain = (hashlib.sha256, hashlib.sha1, hashlib.md5, hashlib.blake2b)
    assert not any(make(NUMBER.encode()).hexdigest().startswith(mine[1:]) for make in plain)


def test_processes_of_one_directory_mask_alike(tmp_path: Path) -> None:
    """The lines of the ingress and of a worker about one person would have two masks, and after a restart a third."""

    def mask() -> str:
        masking.configure(None, tmp_path)
        return masking.masker().id(NUMBER)

    first = mask()
    assert [mask(), mask()] == [first, first]
    assert (tmp_path / masking.KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [masking.KEY_FILE]
    masking.configure("a key of all pods", tmp_path)
    of_all = masking.masker().id(NUMBER)
    masking.configure("a key of all pods", None)
    assert of_all == masking.masker().id(NUMBER) != first


def test_a_place_that_can_not_keep_a_key_is_no_error(tmp_path: Path) -> None:
    """A command beside a read-only directory would end with a traceback instead of its answer."""
    for directory in (tmp_path / "missing", Path("/proc"), None):
        masking.configure(None, directory)
        assert masking.masker().id(NUMBER).startswith("~")
    assert list(tmp_path.iterdir()) == []


class Hand:
    """Has a record in hand, as a stage does."""

    def __init__(self) -> None:
        self.record = TestRecord(b"", KEY.encode(), (("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()),))


def test_a_log_line_shows_no_number_and_says_where_the_record_is() -> None:
    """An operator would read customers' numbers, or, without them, could not find the record at all."""
    out = io.StringIO()
    configure("json", stream=out)
    bind_record(Hand())
    try:
        get_logger("x").info(f"failed {EVENT}", event_id=EVENT, conversation=KEY, to=NUMBER, ids=[WAMID], n={NUMBER: 1})
        logging.getLogger("library").error("no route to %s", NUMBER)
        raise ValueError(f"no such chat: {NUMBER}@c.us")
    except ValueError as error:
        get_logger("x").exception("failed", error=error, key=KEY.encode(), who={"phone": int(NUMBER)})
    finally:
        bind_record(None)
    assert NUMBER not in out.getvalue()
    assert "wamid" not in out.getvalue()
    for line in map(orjson.loads, out.getvalue().splitlines()):
        assert (line["topic"], line["partition"], line["offset"], line["trace_id"]) == ("test", 0, 0, TRACE)


def _letter(error: Exception | None = None) -> DeadLetter:
    content = {
        "id": WAMID,
        "from": NUMBER,
        "to": int(NUMBER),
        "conversation_id": KEY,
        "reply_to": WAMID,
        NUMBER: "x",
        "seen_at": 1760000000,
    }
    headers = (
        ("event-id", EVENT.encode()),
        ("account", b"106540352242922"),
        ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()),
    )
    record: ConsumedRecord = TestRecord(orjson.dumps(content), KEY.encode(), headers, "events.default", 3, 17)
    made = dead_letter(record, "handle", error or InvalidRecord(f"no chat {NUMBER}@c.us for {WAMID}"), 1)
    found = parse_dead_letter(TestRecord(made.value, made.key, tuple(made.headers), made.topic, 3, 5))
    assert isinstance(found, DeadLetter)
    return found


def test_a_dead_letter_shows_no_number_unless_asked() -> None:
    """Whoever looks after the pipeline would read customers' numbers in every key, header and id."""
    letter = _letter()
    shown = "\n".join(page(letter, DeadLetterState.OPEN, [], reveal=False)) + as_json(letter, DeadLetterState.OPEN)
    assert NUMBER not in shown
    assert WAMID not in shown
    for kept in ("106540352242922", "events.default", "17", TRACE, "1760000000", "handle/3/5"):
        assert kept in shown
    revealed = "\n".join(page(letter, DeadLetterState.OPEN, [], reveal=True)) + as_json(
        letter, DeadLetterState.OPEN, reveal=True
    )
    assert revealed.count(NUMBER) >= 6
    assert WAMID in revealed
    assert NUMBER not in body(orjson.dumps({"mobile": int(NUMBER)}), reveal=False)
