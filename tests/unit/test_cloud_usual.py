"""The short way for the usual webhook comes to what the general way comes to, or to nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.cloud.parse import general
from pipeline.providers.cloud.usual import usual
from pipeline.providers.cloud.wire import Delivery
from tests.unit.cloud_webhooks import Json, anything, contact, examples, places, status, text, value, webhook, webhooks

DELIVERED: Delivery = ("wh-1", datetime(2026, 1, 1, tzinfo=UTC), "00-trace-01")
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
KEYS = st.sampled_from(
    ["context", "referral", "group_id", "from_user_id", "user_id", "errors", "recipient_type", "username", "contacts"]
)


def _agree(whole: Json) -> bool:
    """Whether the short way took it; fails if it came to something else."""
    short = usual(whole, DELIVERED)
    if short is not None:
        assert [short] == list(general(whole, DELIVERED))
    return short is not None


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


@pytest.mark.parametrize("form", [*MESSAGES, *STATUSES])
def test_what_may_be_too_deep_to_be_written_never_goes_the_short_way(form: Json) -> None:
    """The short way does not look how deep a webhook is: its event could not be written, whoever tried again."""
    deep = orjson.loads(b"[" * 250 + b"]" * 250)
    for holder, key in places(form):
        for name in (key, "another") if isinstance(holder, dict) else (key,):
            kept = dict(holder) if isinstance(holder, dict) else list(holder)
            holder[name] = deep
            assert usual(form, DELIVERED) is None
            holder.clear()
            holder.update(kept) if isinstance(kept, dict) else holder.extend(kept)
    assert usual(form, DELIVERED) is not None
