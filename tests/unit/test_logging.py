"""Logs: formats, redaction, the Kafka client's repetitions."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pydantic
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from pipeline.logging import REDACTED, Format, RateLimit, add_place, bind_record, configure, get_logger, redact
from pipeline.testing import TestRecord

CLIENT = "aiokafka.conn"
SENSITIVE = ["token", "access_token", "verify_token", "app_secret", "app_secrets", "webhook_secrets", "api_key"]
SENSITIVE += ["Authorization", "X-Hub-Signature-256", "X-Webhook-Signature", "password"]
SENSITIVE += ["text", "body", "caption", "mediaKey"]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def configured(format_: Format = "json", level: str = "info") -> io.StringIO:
    out = io.StringIO()
    configure(format_, level, out)
    return out


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def record(message: str = "Unable connect to node with id %s", level: int = logging.ERROR, name: str = CLIENT) -> Any:
    return logging.LogRecord(name, level, __file__, 1, message, (7,), None)


def test_json_line_has_what_a_collector_needs() -> None:
    """A log collector could not index lines without event, level, logger and time."""
    out = configured()
    get_logger("pipeline.door").info("batch done", records=17)
    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "batch done", "level": "info", "logger": "pipeline.door", "records": 17}


def test_libraries_take_the_same_way() -> None:
    """An operator would find two formats in one file if aiokafka's or faust's lines bypassed structlog."""
    out = configured()
    logging.getLogger("faust.worker").warning("late by %s s", 3, extra={"group": "intake"})
    (line,) = lines(out)
    assert (line["event"], line["level"], line["logger"]) == ("late by 3 s", "warning", "faust.worker")
    assert line["group"] == "intake"


def test_auto_is_console_on_a_terminal_and_json_elsewhere() -> None:
    """A developer would read JSON in the terminal, or a collector would choke on colours."""
    terminal = Terminal()
    configure("auto", stream=terminal)
    get_logger("x").info("hello")
    assert "hello" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    out = configured("auto")
    get_logger("x").info("hello")
    assert lines(out)[0]["event"] == "hello"


def test_configuring_again_replaces_our_handler_only() -> None:
    """Every line would come twice after a second set-up, or a host application's own handler would vanish."""
    own = logging.NullHandler()
    logging.getLogger().addHandler(own)
    first, second = configured(), configured()
    get_logger("x").info("once")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1
    assert own in logging.getLogger().handlers


def test_level_is_kept() -> None:
    """An operator who asks for warnings would drown in information, from us or from the libraries."""
    out = configured(level="warning")
    get_logger("x").info("no")
    logging.getLogger("faust").info("no")
    get_logger("x").warning("yes")
    assert [line["event"] for line in lines(out)] == ["yes"]


def test_context_is_merged() -> None:
    """Whoever follows one event through the log needs its id on every line that was written meanwhile."""
    out = configured()
    with structlog.contextvars.bound_contextvars(event_id="e1"):
        get_logger("x").info("a")
        logging.getLogger("aiokafka").warning("b")
    assert [line["event_id"] for line in lines(out)] == ["e1", "e1"]


def test_logger_works_before_configuration(caplog: pytest.LogCaptureFixture) -> None:
    """A user's unit test of a handler would fail or print to standard output without our set-up."""
    with caplog.at_level("INFO"):
        get_logger("x").info("hello", records=1)
    assert "hello" in caplog.text


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "access_token",
        "app_secret",
        "app_secrets",
        "Authorization",
        "X-Hub-Signature-256",
        "text",
        "body",
        "caption",
        "mediaKey",
        "verify_token",
        "api_key",
        "password",
        "X-Webhook-Signature",
        "webhook_secrets",
    ],
)
def test_sensitive_values_never_reach_the_log(key: str) -> None:
    """A tenant's secret or a person's words would lie in every log store."""
    out = configured()
    get_logger("x").info("seen", **{key: "hush"}, deep={"list": [{key: "hush"}]})
    logging.getLogger("y").warning("seen", extra={key: "hush"})
    assert "hush" not in out.getvalue()
    assert out.getvalue().count(REDACTED) == 3


@pytest.mark.parametrize(
    "text",
    [
        "POST /webhooks/wawp/acme?secret=hush&x=1",
        "header Authorization: Bearer hush",
        "connecting to redis://user:hush@cache:6379/0",
        '{"access_token": "hush"}',
        "api_key=hush",
        "AudioContent(url='https://x.example', mediaKey='hush')",
    ],
)
def test_secrets_in_running_text_are_hidden(text: str) -> None:
    """A library that logs a URL or a header would publish the secret inside it."""
    out = configured()
    logging.getLogger("y").warning("failed: %s", text)
    get_logger("x").warning("failed", url=text)
    assert "hush" not in out.getvalue()


SECRET_HEADERS = [
    *("X-Hub-Signature-256", "X-Hub-Signature", "X-Webhook-Signature", "X-Webhook-Hmac", "X-Api-Key", "Authorization"),
    *("X-Webhook-Secret", "X-Access-Token", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Auth-Key", "apikey"),
]
"""Those that providers authenticate with, those that are sent to providers, and their like."""


@pytest.mark.parametrize("name", SECRET_HEADERS)
@pytest.mark.parametrize("spelt", [str, str.lower, str.upper, lambda name: name.replace("-", "_")])
@pytest.mark.parametrize(
    "shown",
    [
        lambda name, value: {name: value},
        lambda name, value: {name: value.encode()},
        lambda name, value: [(name, value)],
        lambda name, value: [(name.encode(), value.encode())],
        lambda name, value: CIMultiDictProxy(CIMultiDict({name: value})),
        lambda name, value: f"{name}: {value}",
        lambda name, value: f"{name}:Bearer {value}",
        lambda name, value: f"{name}=sha256={value}&x=1",
        lambda name, value: repr({name: value}),
        lambda name, value: repr([(name.encode(), value.encode())]),
        lambda name, value: orjson.dumps({name: value}).decode(),
        lambda name, value: repr(orjson.dumps({"headers": orjson.dumps({name: value}).decode()})),
    ],
)
def test_no_header_that_authenticates_is_shown(
    name: str, spelt: Callable[[str], str], shown: Callable[[str, str], Any]
) -> None:
    """A line about a refused request would hold what the next forged one needs."""
    what = shown(spelt(name), "hush")
    line = redact(None, "info", {"event": f"refused {what}", "request": what, "deep": [{"headers": what}]})
    assert "hush" not in repr(line)
    assert REDACTED in repr(line)


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Webhook-Hmac-Algorithm", "key", "Content-Type", "tokens_left"])
def test_other_headers_are_shown(name: str) -> None:
    """Whoever looks into a fault would see nothing at all."""
    assert redact(None, "info", {"event": "x", "headers": {name: "seen"}})["headers"] == {name: "seen"}


def test_a_traceback_quotes_no_input() -> None:
    """pydantic's errors quote what a user wrote, and a failed event's traceback is always logged."""

    class Model(pydantic.BaseModel):
        number: int

    out = configured()
    try:
        Model.model_validate({"number": " ".join(["words", "of", "a", "person"])})
    except pydantic.ValidationError:
        get_logger("x").exception("failed")
        logging.getLogger("y").exception("failed")
    assert "words of a person" not in out.getvalue()
    assert all("ValidationError" in line["exception"] for line in lines(out))


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_redaction_hides_a_sensitive_key_at_any_depth(value: object) -> None:
    """A secret nested in a provider's odd payload would slip through."""
    hidden = redact(None, "info", {"event": "x", "data": [{"token": value, "n": value}]})
    assert hidden["data"][0]["token"] == REDACTED


def test_what_json_does_not_know_is_still_logged() -> None:
    """A line about a failure would itself fail, and hide it."""
    out = configured()
    get_logger("x").info("odd", value=object(), keys={1: {2, 3}})
    assert lines(out)[0]["event"] == "odd"


def test_a_rebalance_is_no_warning() -> None:
    """An alert on warnings would fire at every deployment."""
    message = "Heartbeat failed for group %s because it is rebalancing"
    name = "aiokafka.consumer.group_coordinator"
    out = configured()
    logging.getLogger(name).warning(message, "intake")
    assert out.getvalue() == ""
    out = configured(level="debug")
    logging.getLogger(name).warning(message, "intake")
    assert [line["level"] for line in lines(out)] == ["debug"]


def test_debug_is_ours_and_never_a_kafka_clients() -> None:
    """aiokafka's debug lines hold every record: whoever looks for a fault would write all messages into the logs."""
    out = configured(level="debug")
    logging.getLogger("aiokafka.producer.producer").debug("Sending (key=%r value=%r)", b"k", b"a user's message")
    logging.getLogger("faust.transport").debug("%r", b"a user's message")
    logging.getLogger("aiokafka.consumer").info("joined")
    get_logger("pipeline.handlers").debug("event handled")
    assert [line["event"] for line in lines(out)] == ["joined", "event handled"]


def test_a_broker_that_is_away_says_so_once_in_a_window() -> None:
    """3,000 equal lines of one restart would bury the line that matters; none would hide the outage."""
    clock = Clock()
    limit = RateLimit("aiokafka", window=10, clock=clock)
    assert [limit.filter(record()) for _ in range(3)] == [True, False, False]
    assert limit.filter(record("another template")), "another complaint is another line"
    clock.now += 10
    again = record()
    assert limit.filter(again)
    assert again.suppressed == 2


def test_the_number_of_suppressed_lines_is_shown() -> None:
    """An operator could not tell one failure from a thousand."""
    clock, out = Clock(), configured()
    handler = logging.getLogger().handlers[-1]
    handler.filters = [RateLimit("aiokafka", clock=clock)]
    client = logging.getLogger(CLIENT)
    for _ in range(4):
        client.error("Unable connect to node with id %s", 1)
    clock.now += 60
    client.error("Unable connect to node with id %s", 1)
    assert [line.get("suppressed") for line in lines(out)] == [None, 3]


def test_only_complaints_of_the_kafka_client_are_limited() -> None:
    """Lines of the pipeline itself, or information, would be lost."""
    limit = RateLimit("aiokafka", clock=Clock())
    assert all(limit.filter(record(name="pipeline.runtime")) for _ in range(3))
    assert all(limit.filter(record(level=logging.INFO)) for _ in range(3))
    assert limit.filter(record(name="aiokafkaesque"))


def test_the_limit_remembers_a_bounded_number_of_templates() -> None:
    """A library that formats its own templates would make the process grow for as long as the broker is away."""
    limit = RateLimit("aiokafka", clock=Clock(), capacity=5)
    for number in range(100):
        limit.filter(record(f"failed {number}"))
    assert len(limit._seen) == 5


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_line_that_quotes_half_of_a_surrogate_pair_is_written(format_: Format) -> None:
    """The line that says what went wrong would be missing."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, "utf-8")
    configure(format_, stream=stream)
    get_logger("test").warning("odd", name="x\ud83d", inner=[{"a": "\ud83d"}])
    stream.flush()
    assert "\ufffd" in written.getvalue().decode()


def test_a_header_without_a_value_does_not_end_the_worker() -> None:
    """One record of a stranger with a null `traceparent` would stop its flow at the first log line about it."""
    record = TestRecord(b"{}", b"key", headers=(("traceparent", cast(bytes, None)),))
    bind_record(SimpleNamespace(record=record))
    try:
        assert "trace_id" not in add_place(None, "info", {"event": "x"})
    finally:
        bind_record(None)
