"""One webhook into one slice for each chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from pipeline.providers.base import Slice, WebhookRequest
from pipeline.providers.limits import bounded
from pipeline.providers.wasender.authenticate import opened
from pipeline.providers.wasender.envelope import Part, holding, parts
from pipeline.providers.wasender.fingerprint import without_secrets
from pipeline.providers.wasender.identity import PROVIDER, chat_of, conversation
from pipeline.tenants import Account, Tenants
from pipeline.unicode import loads


def split(request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
    """The chats of a webhook, in order of appearance; the body as it came where there is one, but for its secrets.

    A body that can't be read, or can't be written again, is one slice. Raises `OversizeRecord` for one that would
    become too much.
    """
    account = _account(request, tenants)
    if account is None:
        return [Slice(PROVIDER, "", request.body)]
    body = without_secrets(request.body, account)
    try:
        webhook = loads(body)
        return _slices(webhook, account.id, body) if type(webhook) is dict else [_whole(account.id, None, body)]
    except (orjson.JSONDecodeError, TypeError):  # TypeError: nested deeper than orjson writes; `parse` will refuse it
        return [_whole(account.id, None, body)]


def _slices(webhook: dict[str, Any], account: str, body: bytes) -> list[Slice]:
    chats: dict[str | None, list[Part]] = {}
    found = parts(webhook)
    for part in found:
        chats.setdefault(chat_of(part), []).append(part)
    if len(chats) < 2:
        return [_whole(account, next(iter(chats), None), body)]
    return bounded(
        _whole(account, chat, orjson.dumps(holding(webhook, members, is_first=members[0] is found[0])))
        for chat, members in chats.items()
    )


def _whole(account: str, chat: str | None, body: bytes) -> Slice:
    return Slice(conversation(account, chat), account, body)


def _account(request: WebhookRequest, tenants: Tenants) -> Account | None:
    """The session whose secret the request carries; of several with one secret, the one that the body names."""
    accounts = opened(request, tenants)
    named = (account for account in accounts if len(accounts) > 1 and _is_named(account, request.body))
    return next(named, accounts[0] if accounts else None)


def _is_named(account: Account, body: bytes) -> bool:
    return any(b'"%b"' % name.encode() in body for name in (account.token.get_secret_value(), account.id))
