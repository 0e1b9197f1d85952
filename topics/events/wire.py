"""An event as it is written to a topic, before anybody needs it as a model.

The intake chain handles tens of thousands of events a second and looks at three things of each: its id, its
conversation and its kind. Building a pydantic model there costs more than all the rest, so `parse` makes this
instead, and `topics.events.decode` makes the model where a handler or an analytics agent asks for it. One suite
(`tests/unit/test_events.py`) holds both together: every body that a provider makes must validate as an `Event`.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class WireEvent(NamedTuple):
    """One event in wire form.

    `body` is the JSON object that becomes the record's value: the fields of `topics.events.EventBase` and of the
    kind's own model. `route` adds `tenant_id`; everything else is the provider's `parse`'s to fill.
    Times in it are aware datetimes, which orjson writes as RFC 3339 faster than anybody can format them.
    """

    event_id: str
    kind: str
    conversation: str
    body: dict[str, Any]
