"""Authenticate requests from Meta: the signature of a POST and the handshake of a GET.

Source: Cloud API, webhooks: `X-Hub-Signature-256: sha256=<hex>` is HMAC-SHA256 of the raw body with the app secret.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pipeline.providers.base import WebhookRequest
from pipeline.providers.cloud.scope import are_accounts_in_scope, candidate_apps
from pipeline.secret_index import SecretIndex
from pipeline.tenants import CloudApp, Tenants

_PREFIX = "sha256="


def is_authentic(request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if a Cloud app that owns the accounts in the body signed these bytes.

    Every secret of the apps that may sign for these accounts is tried, so that the duration does not depend on them.
    """
    given = _signature(request.headers.get("x-hub-signature-256"))
    if given is None:
        return False
    apps = candidate_apps(request.body, tenants)
    secrets = _all_secrets(tenants) if apps is tenants.cloud_apps else _secrets(apps)
    wanted = [(app, hmac.digest(secret, request.body, "sha256")) for app, secret in secrets]
    signers = [app for app, digest in wanted if hmac.compare_digest(given, digest)]
    return bool(signers) and are_accounts_in_scope(signers, request.body, tenants)


def may_be_authentic(request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if there is a signature, and a secret that may have created it."""
    return bool(tenants.cloud_apps) and _signature(request.headers.get("x-hub-signature-256")) is not None


def answer_handshake(query: Mapping[str, str], tenants: Tenants) -> str | None:
    """Return the challenge to echo if Meta subscribes with the verify token of one of the apps, else None."""
    known = _verify_tokens(tenants).find(query.get("hub.verify_token", ""))
    if not known or query.get("hub.mode") != "subscribe":
        return None
    return query.get("hub.challenge") or None


def _signature(header: str | None) -> bytes | None:
    if header is None:
        return None
    scheme, text = header[: len(_PREFIX)], header[len(_PREFIX) :].strip()
    if scheme != _PREFIX or len(text) != 64 or not text.isascii() or not text.isalnum():
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def _secrets(apps: Sequence[CloudApp]) -> tuple[tuple[CloudApp, bytes], ...]:
    return tuple((app, secret.get_secret_value().encode()) for app in apps for secret in app.app_secrets)


@lru_cache(maxsize=4)
def _all_secrets(tenants: Tenants) -> tuple[tuple[CloudApp, bytes], ...]:
    return _secrets(tenants.cloud_apps)


@lru_cache(maxsize=4)
def _verify_tokens(tenants: Tenants) -> SecretIndex[CloudApp]:
    index = SecretIndex[CloudApp]()
    for app in tenants.cloud_apps:
        index.add(app, app.verify_token.get_secret_value())
    return index
