"""A slice of a webhook into its events, every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from pipeline.providers.cloud.accounts import account
from pipeline.providers.cloud.envelope import Part, parts
from pipeline.providers.cloud.holding import Envelopes
from pipeline.providers.cloud.identity import other_side
from pipeline.providers.cloud.messages import message
from pipeline.providers.cloud.others import errors, unknown
from pipeline.providers.cloud.people import Person
from pipeline.providers.cloud.statuses import status
from pipeline.providers.cloud.usual import usual
from pipeline.providers.cloud.wire import Body, Delivery, begin, delivery
from pipeline.providers.loading import load
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming

_Builder: TypeAlias = Callable[[Part, Person | None, Body], bool]

_BUILDERS: Final[dict[str, _Builder]] = {"messages": message, "statuses": status}
"""What the lists of the field `messages` become. In other fields lists of the same names mean other things."""


def parse(record: Incoming) -> Iterable[WireEvent]:
    """Every message, status, error and other part of every change of every entry, in order, as events.

    Ids are the same on every delivery, also when the platform batches the parts differently. Raises `InvalidRecord`
    when the bytes are not JSON or not an object, `OversizeRecord` for more parts than any webhook has; whatever is odd
    inside becomes an unknown event.
    """
    content = record.value or b""
    delivered = delivery(record)
    event = usual(content, delivered)
    return (event,) if event is not None else general(load(content), delivered)


def general(webhook: dict[str, Any], delivered: Delivery) -> Iterable[WireEvent]:
    """The events of a webhook of any form; several are made one by one."""
    found = parts(webhook)
    return (_event(found[0], webhook, delivered),) if len(found) == 1 else _several(webhook, found, delivered)


def _several(webhook: dict[str, Any], found: list[Part], delivered: Delivery) -> Iterator[WireEvent]:
    envelopes = Envelopes(webhook, found)
    for part in found:
        yield _event(part, envelopes.holding((part,)), delivered)


def _event(part: Part, raw: Body, delivered: Delivery) -> WireEvent:
    contact, person = other_side(part)
    body = begin(part, contact, raw, delivered)
    if not _builder(part)(part, person, body):
        body = begin(part, contact, raw, delivered)
        unknown(part, person, body)
    return WireEvent.of(body)


def _builder(part: Part) -> _Builder:
    change, name, _ = part
    if name == "errors":
        return errors
    return _BUILDERS.get(name or "", account) if change.field == "messages" else account
