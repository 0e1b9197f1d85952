"""A slice of a webhook into its events, every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pipeline.providers.cloud.wire import Body, delivery
from pipeline.providers.loading import load
from pipeline.providers.wasender import statuses
from pipeline.providers.wasender.accounts import account
from pipeline.providers.wasender.envelope import DELETE, MESSAGES, REACTION, Part, holding, parts
from pipeline.providers.wasender.messages import STORIES, is_ours, message
from pipeline.providers.wasender.others import aside, unknown
from pipeline.providers.wasender.statuses import status
from pipeline.providers.wasender.wire import Happening, begin, happening
from pipeline.topics import headers
from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming, header

_IN_CHATS: Final = MESSAGES | {REACTION, DELETE}


def parse(record: Incoming) -> Iterable[WireEvent]:
    """Every part of a webhook as an event, in order. The session is named by the record, for the body does not.

    Ids are the same on every delivery. Raises `InvalidRecord` when the bytes are not JSON or not an object,
    `OversizeRecord` for more parts than any webhook has; whatever is odd inside becomes an unknown event.
    """
    webhook = load(record.value or b"")
    session, delivered = header(record.headers, headers.ACCOUNT) or "", delivery(record)
    found = parts(webhook)

    def event(part: Part) -> WireEvent:
        raw = webhook if len(found) == 1 else holding(webhook, [part], is_first=part is found[0])
        return WireEvent.of(_body(happening(session, part, webhook, raw, delivered)))

    return (event(found[0]),) if len(found) == 1 else map(event, found)


def _body(found: Happening) -> Body:
    body = begin(found)
    if not _builder(found)(found, body):
        body = begin(found)
        unknown(found, body)
    return body


def _builder(found: Happening) -> Callable[[Happening, Body], bool]:
    if found.part.event not in _IN_CHATS:
        return status if found.part.event in statuses.EVENTS else account
    if is_ours(found):
        return _echo
    return _story if found.chat == STORIES else message


def _echo(found: Happening, body: Body) -> bool:
    return aside(found, body, AccountEventType.ECHO)


def _story(found: Happening, body: Body) -> bool:
    """What somebody showed to all contacts: nobody wrote to the business, so it is no message to answer."""
    return aside(found, body, AccountEventType("user.story"))
