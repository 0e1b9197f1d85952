"""Split a webhook into one slice per conversation."""

from __future__ import annotations

import orjson

from pipeline.providers.base import Slice
from pipeline.providers.cloud.envelope import Part, list_parts
from pipeline.providers.cloud.extraction import PartExtractor
from pipeline.providers.cloud.identity import PROVIDER, resolve_contact
from pipeline.providers.shared.event_body import partition_key
from pipeline.providers.shared.size_limits import limit_slices
from pipeline.unicode import loads


def split_body(body: bytes) -> list[Slice]:
    """Return one slice per conversation, in order of appearance; the untouched body if there is only one.

    A body that can't be read or written is one slice. Raises `OversizeRecord` for one whose slices are too large.
    """
    try:
        webhook = loads(body)
    except orjson.JSONDecodeError:
        return [Slice(PROVIDER, "", body)]
    found = list_parts(webhook) if type(webhook) is dict else []
    conversations = _conversations(found)
    if len(conversations) > 1:
        envelopes = PartExtractor(webhook, found)
        try:
            return limit_slices(_slice(envelopes, key, members) for key, members in conversations.items())
        except TypeError:  # nested deeper than orjson writes: `parse` rejects it as a whole
            return [Slice(PROVIDER, "", body)]
    for key, members in conversations.items():
        return [Slice(key, members[0][0].account, body)]
    return [Slice(PROVIDER, "", body)]


def _conversations(found: list[Part]) -> dict[str, list[Part]]:
    conversations: dict[str, list[Part]] = {}
    for part in found:
        key = partition_key(PROVIDER, part[0].account, resolve_contact(part)[0])
        conversations.setdefault(key, []).append(part)
    return conversations


def _slice(envelopes: PartExtractor, key: str, members: list[Part]) -> Slice:
    return Slice(key, members[0][0].account, orjson.dumps(envelopes.extract_parts(members)))
