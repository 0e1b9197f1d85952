"""Parse a slice of a webhook into its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pipeline.providers.shared.event_body import webhook_meta
from pipeline.providers.shared.loading import load_object
from pipeline.providers.wasender import statuses
from pipeline.providers.wasender.accounts import account_event
from pipeline.providers.wasender.envelope import DELETE, MESSAGES, REACTION, WebhookPart, extract_parts, list_parts
from pipeline.providers.wasender.event_source import WasenderEventSource, base_event, event_source
from pipeline.providers.wasender.messages import STORIES, may_be_own, message_event
from pipeline.providers.wasender.statuses import status_event
from pipeline.providers.wasender.unknown import echo_or_story, unknown_event
from pipeline.topics import headers
from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord, header
from pipeline.topics.types import Json

_IN_CHATS: Final = MESSAGES | {REACTION, DELETE}


def parse_record(record: ConsumedRecord) -> Iterable[ParsedEvent]:
    """Return every part of a webhook as an event, in order. The record names the session, because the body does not.

    Ids are the same on every delivery. A malformed part becomes an unknown event. Raises `InvalidRecord` if the bytes
    are no JSON object, `OversizeRecord` for more parts than any webhook has.
    """
    webhook = load_object(record.value or b"")
    session, meta = header(record.headers, headers.ACCOUNT) or "", webhook_meta(record)
    found = list_parts(webhook)

    def event(part: WebhookPart) -> ParsedEvent:
        raw = webhook if len(found) == 1 else extract_parts(webhook, [part], is_first=part is found[0])
        return ParsedEvent.of(_build_event(event_source(session, part, webhook, raw, meta)))

    return (event(found[0]),) if len(found) == 1 else map(event, found)


def _build_event(source: WasenderEventSource) -> Json:
    body = base_event(source)
    if not _event_builder(source)(source, body):
        body = base_event(source)
        unknown_event(source, body)
    return body


def _event_builder(source: WasenderEventSource) -> Callable[[WasenderEventSource, Json], bool]:
    if source.part.event not in _IN_CHATS:
        return status_event if source.part.event in statuses.EVENTS else account_event
    if may_be_own(source):
        return _echo
    return _story if source.chat == STORIES else message_event


def _echo(source: WasenderEventSource, body: Json) -> bool:
    return echo_or_story(source, body, AccountEventType.ECHO)


def _story(source: WasenderEventSource, body: Json) -> bool:
    """Build a story event. A story is shown to all contacts of its author, so it is no message to the business."""
    return echo_or_story(source, body, AccountEventType("user.story"))
