"""An event as it is written to a topic, before anybody needs it as a model.

The intake chain handles tens of thousands of events a second and looks at a few things of each: its id, its
conversation, whose it is. Building a pydantic model there costs more than all the rest, so `parse` makes this instead,
and `pipeline.topics.events.decode` makes the model where a handler or an analytics agent asks for it. One suite
(`tests/unit/topics/test_events.py`) holds both together: every body that a provider makes must validate as an `Event`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import orjson

from pipeline.topics.events import raw_pointers

_encode = msgspec.json.Encoder().encode


class Payload(msgspec.Struct, kw_only=True, gc=False):
    """A body with known fields, for the most frequent kinds of events: a dict costs twice as much to write.

    For small events only: it is always written in full (`pipeline.topics.events.raw_pointers`).
    """

    tenant_id: str | msgspec.UnsetType = msgspec.UNSET

    def as_dict(self) -> dict[str, Any]:
        """Return the body as a dict; times in it are datetimes."""
        times = {name: at for name in self.__struct_fields__ if isinstance(at := getattr(self, name), datetime)}
        body: dict[str, Any] = orjson.loads(_encode(self))
        return body | times


class ParsedEvent(msgspec.Struct):
    """One event in wire payload.

    Attributes:
        payload: the body, as it was made; ask for `body` or `get` to read it.
    """

    event_id: str
    kind: str
    conversation: str
    provider: str
    account: str
    payload: dict[str, Any] | Payload

    @classmethod
    def of(cls, body: dict[str, Any]) -> ParsedEvent:
        """Return the event of a whole body."""
        return cls(body["event_id"], body["kind"], body["conversation"], body["provider"], body["account"], body)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that becomes the record's value, and whatever is changed in it does.

        The fields of `pipeline.topics.events.EventBase` and of the kind's own model, but for `tenant_id`, which `route`
        adds. Times in it are aware datetimes, which are written as RFC 3339.
        """
        if isinstance(self.payload, Payload):
            self.payload = self.payload.as_dict()
        return self.payload

    def get(self, name: str) -> Any:
        """Return one field of the body, or None. Strings and missing fields need no dict of the whole body."""
        if isinstance(self.payload, Payload):
            value = getattr(self.payload, name, msgspec.UNSET)
            if value is msgspec.UNSET:
                return None
            if type(value) is str:
                return value
        return self.body.get(name)

    def part(self, name: str) -> Any:
        """Return one field as `parse` made it, maybe a model, or None. It never makes a dict of the whole body."""
        payload = self.payload
        if not isinstance(payload, Payload):
            return payload.get(name)
        value = getattr(payload, name, None)
        return None if value is msgspec.UNSET else value

    def age(self) -> float:
        """Return the seconds from the event's time to its webhook's arrival; 0 without a time or with a future one."""
        at, arrived = self.time("timestamp"), self.time("received_at")
        return max((arrived - at).total_seconds(), 0.0) if at and arrived else 0.0

    def time(self, name: str) -> datetime | None:
        """Return a field that is a time; None without it."""
        payload = self.payload
        value = getattr(payload, name, None) if isinstance(payload, Payload) else payload.get(name)
        return value if isinstance(value, datetime) else None

    def encode(self, tenant_id: str) -> bytes:
        """Return the record's value. Parts of a large event that are also in `raw` are written once."""
        payload = self.payload
        if isinstance(payload, Payload):
            payload.tenant_id = tenant_id
            return _encode(payload)
        payload["tenant_id"] = tenant_id
        value = orjson.dumps(payload, option=orjson.OPT_UTC_Z)
        return (
            value
            if len(value) <= raw_pointers.MAX_FULL_SIZE
            else orjson.dumps(raw_pointers.compact(payload), option=orjson.OPT_UTC_Z)
        )
