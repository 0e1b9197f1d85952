"""The short way for the usual webhook comes to what the general way comes to, or to nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.cloud.fast_path import parse_fast
from pipeline.providers.cloud.parse import parse_any
from pipeline.providers.shared.event_body import WebhookMeta
from pipeline.topics.events.wire import ParsedEvent
from tests.support.cloud_webhooks import (
    Json,
    anything,
    contact,
    examples,
    places,
    status,
    text,
    value,
    webhook,
    webhooks,
)
from tests.support.mutations import Corpus, garbled

META: WebhookMeta = WebhookMeta("wh-1", datetime(2026, 1, 1, tzinfo=UTC), "00-trace-01")
PRICING = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
MESSAGE = webhook(value(contacts=[contact()], messages=[text("wamid.1")]))
IDENTIFIED = webhook(value(contacts=[contact(user_id="US.1")], messages=[text("wamid.1", from_user_id="US.1")]))
NAMED: Json = orjson.loads(orjson.dumps(IDENTIFIED))
NAMED["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["username"] = "ana.k"
MESSAGES = [MESSAGE, IDENTIFIED, NAMED]
STATUSES = [
    webhook(value(statuses=[status("wamid.1")])),
    webhook(value(statuses=[status("wamid.1", biz_opaque_callback_data="cmd-1")])),
    webhook(value(statuses=[status("wamid.1", biz_opaque_callback_data="cmd-1", pricing=PRICING)])),
]
USUAL = Corpus(orjson.dumps(form) for form in (*MESSAGES, *STATUSES))
FIELDS = ("event_type", "timestamp", "traceparent", "message_id", "status", "business_opaque_data", "pricing", "none")
KEYS = st.sampled_from(
    ["context", "referral", "group_id", "from_user_id", "user_id", "errors", "recipient_type", "username", "contacts"]
)


def _agree(whole: Json | bytes) -> bool:
    """Whether the short way took it; fails if it came to something else."""
    content = whole if isinstance(whole, bytes) else orjson.dumps(whole)
    short, again = parse_fast(content, META), parse_fast(content, META)
    if short is None or again is None:
        return False
    (event,) = parse_any(orjson.loads(content), META)
    assert _read(short) == _read(event)
    assert orjson.loads(again.encode("acme")) == orjson.loads(event.encode("acme"))
    return True


def _read(event: ParsedEvent) -> dict[str, Any]:
    """All that a stage may read of it, with a few fields of the body before the whole."""
    about = {name: getattr(event, name) for name in ("event_id", "kind", "conversation", "provider", "account")}
    return about | {name: event.get(name) for name in FIELDS} | {"body": event.body}


@pytest.mark.parametrize("whole", [*MESSAGES, *STATUSES])
def test_the_usual_forms_go_the_short_way(whole: Json) -> None:
    """Without it, a change of form would make the whole intake slower and nobody would notice."""
    assert _agree(whole)


@given(st.one_of(webhooks, st.sampled_from(list(examples()))))
def test_any_webhook_comes_to_the_same_events(whole: Json) -> None:
    """Without it, an event could have one id by the short way and another on its redelivery."""
    _agree(whole)


@given(st.sampled_from([*MESSAGES, *STATUSES]), st.data())
def test_a_usual_webhook_with_something_odd_in_it_comes_to_the_same_events(form: Json, data: st.DataObject) -> None:
    """Without it, one field of another type, one more or one less would be read differently by the short way."""
    whole: Json = orjson.loads(orjson.dumps(form))
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(list(places(whole))))
        if isinstance(holder, dict) and data.draw(st.booleans()):
            holder[data.draw(KEYS)] = data.draw(anything)
        elif isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = data.draw(anything)
    _agree(whole)


@pytest.mark.parametrize("form", [MESSAGE, STATUSES[1]])
def test_a_stage_in_between_may_change_the_event(form: Json) -> None:
    """What somebody's own stage adds to an event would be written for some of them and not for others."""
    event = parse_fast(orjson.dumps(form), META)
    assert event is not None
    event.body["score"] = 3
    assert event.get("score") == 3
    written = orjson.loads(event.encode("acme"))
    assert (written["score"], written["tenant_id"], written["raw"]) == (3, "acme", form)


@pytest.mark.parametrize(
    ("name", "twice"),
    [
        (b'"id":', b'"id":"wamid.0","id":'),
        (b'"text":', b'"text":{"body":"another"},"text":'),
        (b'"text":', b'"text":{"x":[[]]},"text":'),
        (b'"field":', b'"field":"calls","field":'),
        (b'"id":', b'"\\u0069d":'),
        (b'"Ana"', b' "\\u0041n\\ud83d\\ude00"\n'),
    ],
)
def test_unusual_writing_of_the_usual_is_read_alike(name: bytes, twice: bytes) -> None:
    """Names that are there twice, escapes, and blanks: the decoders of the two ways could choose differently."""
    content = USUAL[0].replace(name, twice)
    assert content != USUAL[0]
    _agree(content)


@st.composite
def _broken(draw: st.DrawFn) -> bytes:
    return garbled(draw, draw(st.sampled_from(USUAL)))


@given(_broken())
def test_bytes_that_are_no_json_never_go_the_short_way(content: bytes) -> None:
    """The two ways have two decoders: what one of them forgives would be an event, and a dead letter when replayed."""
    _agree(content)
