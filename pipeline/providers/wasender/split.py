"""Split a webhook into one slice per chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from pipeline.providers.base import Slice, WebhookRequest
from pipeline.providers.shared.event_body import partition_key
from pipeline.providers.shared.size_limits import limit_slices
from pipeline.providers.wasender.authenticate import authenticated_accounts
from pipeline.providers.wasender.envelope import WebhookPart, extract_parts, list_parts
from pipeline.providers.wasender.fingerprint import replace_secrets
from pipeline.providers.wasender.identity import PROVIDER, resolve_contact
from pipeline.tenants import Account, Tenants
from pipeline.unicode import loads


def split_webhook(request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
    """Return one slice per chat, in order of appearance; the whole body if there is only one, without its secrets.

    A body that can't be read or written is one slice. Raises `OversizeRecord` for one whose slices are too large.
    """
    account = _account(request, tenants)
    if account is None:
        return [Slice(PROVIDER, "", request.body)]
    body = replace_secrets(request.body, account)
    try:
        webhook = loads(body)
        return _slice_by_chat(webhook, account.id, body) if type(webhook) is dict else [_slice(account.id, None, body)]
    except (orjson.JSONDecodeError, TypeError):  # TypeError: nested deeper than orjson writes; `parse` will refuse it
        return [_slice(account.id, None, body)]


def _slice_by_chat(webhook: dict[str, Any], account: str, body: bytes) -> list[Slice]:
    chats: dict[str | None, list[WebhookPart]] = {}
    found = list_parts(webhook)
    for part in found:
        chats.setdefault(resolve_contact(part), []).append(part)
    if len(chats) < 2:
        return [_slice(account, next(iter(chats), None), body)]
    return limit_slices(
        _slice(account, chat, orjson.dumps(extract_parts(webhook, members, is_first=members[0] is found[0])))
        for chat, members in chats.items()
    )


def _slice(account: str, chat: str | None, body: bytes) -> Slice:
    return Slice(partition_key(PROVIDER, account, chat), account, body)


def _account(request: WebhookRequest, tenants: Tenants) -> Account | None:
    """Return the session whose secret the request contains. If several share the secret, the body decides."""
    accounts = authenticated_accounts(request, tenants)
    named = (account for account in accounts if len(accounts) > 1 and _is_named(account, request.body))
    return next(named, accounts[0] if accounts else None)


def _is_named(account: Account, body: bytes) -> bool:
    return any(b'"%b"' % name.encode() in body for name in (account.token.get_secret_value(), account.id))
