"""One webhook into one slice for each conversation."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.providers.base import Slice
from pipeline.providers.cloud.envelope import Part, parts
from pipeline.providers.cloud.holding import holding
from pipeline.providers.cloud.identity import PROVIDER, conversation, other_side
from pipeline.unicode import loads


def split(body: bytes) -> list[Slice]:
    """The conversations of a webhook, in order of appearance; the untouched body where there is only one.

    Never raises: a body that can't be read, or can't be written again, is one slice.
    """
    try:
        webhook = loads(body)
    except orjson.JSONDecodeError:
        return [Slice(PROVIDER, "", body)]
    conversations = _conversations(webhook) if type(webhook) is dict else {}
    if len(conversations) > 1:
        try:
            return [_slice(webhook, key, members) for key, members in conversations.items()]
        except TypeError:  # nested deeper than orjson writes: `parse` will refuse it whole
            return [Slice(PROVIDER, "", body)]
    for key, members in conversations.items():
        return [Slice(key, members[0][0].account, body)]
    return [Slice(PROVIDER, "", body)]


def _conversations(webhook: dict[str, Any]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in parts(webhook):
        key = conversation(part[0].account, other_side(part)[0])
        found.setdefault(key, []).append(part)
    return found


def _slice(webhook: dict[str, Any], key: str, members: list[Part]) -> Slice:
    return Slice(key, members[0][0].account, orjson.dumps(holding(webhook, members)))
