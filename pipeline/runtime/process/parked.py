"""`GET /parked` of a worker: the queues of parked records, page by page.

app, tenant   only this app, only this tenant
limit         queues of one page, at most 1,000
cursor        `next` of the page before
reveal        1: keys as they are; needs the proof that the caller has the same `PIPELINE_MASK_KEY`
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from pipeline.masking import masker
from pipeline.runtime.parking.view import ParkedView, Place, QueueState

PAGE: Final = 100
MAX_PAGE: Final = 1_000
SCHEME: Final = "Bearer "

Views = Mapping[str, Mapping[str, ParkedView]]
"""The parked records of each flow, by app and source."""


class Cursor(NamedTuple):
    """The place of the last queue of a page."""

    app: str
    topic: str
    place: Place

    def encode(self) -> str:
        """Return a text without the queue's key, because URLs are logged."""
        return f"{self.app}/{self.topic}/{self.place[0]}/{self.place[1].hex()}"

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Return a cursor. Raises `ValueError`."""
        app, topic, partition, digest = text.split("/")
        return cls(app, topic, (int(partition), bytes.fromhex(digest)))


class ParkedQuery(NamedTuple):
    """What is asked for. `limit` is between 1 and `MAX_PAGE`."""

    app: str | None = None
    tenant: str | None = None
    limit: int = PAGE
    cursor: Cursor | None = None
    reveal: bool = False

    @classmethod
    def parse(cls, fields: Mapping[str, str], authorization: str) -> ParkedQuery:
        """Parse a request. Raises `ValueError`, and `PermissionError` where keys may not be revealed."""
        reveal = reveals(fields, authorization)
        return cls(fields.get("app"), fields.get("tenant"), page_limit(fields), _cursor(fields), reveal)


def reveals(fields: Mapping[str, str], authorization: str) -> bool:
    """Return True if a request asks for ids as they are. Raises `PermissionError` where they may not be revealed."""
    reveal = fields.get("reveal") == "1"
    if reveal and not hmac.compare_digest(authorization.encode(), (SCHEME + masker().proof()).encode()):
        raise PermissionError("this worker has another PIPELINE_MASK_KEY: give all processes the same one")
    return reveal


def page_limit(fields: Mapping[str, str]) -> int:
    """Return the entries of one page. Raises `ValueError`."""
    text = fields.get("limit", str(PAGE))
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PAGE:
        raise ValueError(f"limit must be a number from 1 to {MAX_PAGE}")
    return int(text)


def _cursor(fields: Mapping[str, str]) -> Cursor | None:
    try:
        return Cursor.decode(fields["cursor"]) if "cursor" in fields else None
    except ValueError:
        raise ValueError("cursor must be `next` of the page before") from None


def list_parked(views: Views, query: ParkedQuery) -> dict[str, Any]:
    """Return one page: `queues`, and `next`, the cursor of the next page; null: there is none."""
    found = list(islice(_find(views, query), query.limit + 1))
    page, more = found[: query.limit], found[query.limit :]
    after = Cursor(*page[-1][:2], page[-1][2].place).encode() if more else None
    return {"queues": [_describe(*each, reveal=query.reveal) for each in page], "next": after}


def _find(views: Views, query: ParkedQuery) -> Iterator[tuple[str, str, QueueState]]:
    for app, topic in sorted((app, topic) for app, found in views.items() for topic in found):
        cursor = query.cursor
        if query.app not in (None, app) or (cursor is not None and (app, topic) < cursor[:2]):
            continue
        after = cursor.place if cursor is not None and (app, topic) == cursor[:2] else None
        for state in views[app][topic].page(after, query.limit + 1, query.tenant):
            yield app, topic, state


def _describe(app: str, topic: str, state: QueueState, *, reveal: bool) -> dict[str, Any]:
    return {
        "app": app,
        "topic": topic,
        "partition": state.place[0],
        "tenant": state.tenant,
        "key": state.key if reveal else masker().key(state.key),
        "records": state.records,
        "bytes": state.size,
        "oldest_seconds": None if state.oldest is None else max(0.0, round(time.time() - state.oldest / 1000, 1)),
        "loaded": state.loaded,
        "held_seconds": None if state.held is None else round(state.held, 1),
        "cause": state.cause if reveal else masker().text(state.cause),
    }
