"""One webhook into one slice for each conversation."""

from __future__ import annotations

import orjson

from pipeline.providers.base import Slice
from pipeline.providers.cloud.envelope import Part, parts
from pipeline.providers.cloud.holding import Envelopes
from pipeline.providers.cloud.identity import PROVIDER, conversation, other_side
from pipeline.providers.limits import bounded
from pipeline.unicode import loads


def split(body: bytes) -> list[Slice]:
    """The conversations of a webhook, in order of appearance; the untouched body where there is only one.

    A body that can't be read, or can't be written again, is one slice. Raises `OversizeRecord` for one that would
    become too much.
    """
    try:
        webhook = loads(body)
    except orjson.JSONDecodeError:
        return [Slice(PROVIDER, "", body)]
    found = parts(webhook) if type(webhook) is dict else []
    conversations = _conversations(found)
    if len(conversations) > 1:
        envelopes = Envelopes(webhook, found)
        try:
            return bounded(_slice(envelopes, key, members) for key, members in conversations.items())
        except TypeError:  # nested deeper than orjson writes: `parse` will refuse it whole
            return [Slice(PROVIDER, "", body)]
    for key, members in conversations.items():
        return [Slice(key, members[0][0].account, body)]
    return [Slice(PROVIDER, "", body)]


def _conversations(found: list[Part]) -> dict[str, list[Part]]:
    conversations: dict[str, list[Part]] = {}
    for part in found:
        key = conversation(part[0].account, other_side(part)[0])
        conversations.setdefault(key, []).append(part)
    return conversations


def _slice(envelopes: Envelopes, key: str, members: list[Part]) -> Slice:
    return Slice(key, members[0][0].account, orjson.dumps(envelopes.holding(members)))
