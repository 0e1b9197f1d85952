"""Whether a request comes from Meta: the signature of a POST and the handshake of a GET.

Source: Cloud API, webhooks: `X-Hub-Signature-256: sha256=<hex>` is HMAC-SHA256 of the raw body with the app secret.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import lru_cache

from pipeline.providers.base import WebhookRequest
from pipeline.tenants import Tenants

_PREFIX = "sha256="


def authenticate(request: WebhookRequest, tenants: Tenants) -> bool:
    """Whether any secret of any Cloud app signed these bytes. Every secret is tried, so time tells nothing."""
    given = _signature(request.headers.get("x-hub-signature-256"))
    if given is None:
        return False
    wanted = [hmac.digest(secret, request.body, "sha256") for secret in _secrets(tenants)]
    return sum(hmac.compare_digest(given, digest) for digest in wanted) > 0


def verify(query: Mapping[str, str], tenants: Tenants) -> str | None:
    """The challenge to echo when Meta subscribes with the verify token of one of the apps, else None."""
    given = query.get("hub.verify_token", "").encode("utf-8", "replace")
    known = sum(hmac.compare_digest(given, token) for token in _verify_tokens(tenants)) > 0
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


@lru_cache(maxsize=4)
def _secrets(tenants: Tenants) -> tuple[bytes, ...]:
    return tuple(secret.get_secret_value().encode() for app in tenants.cloud_apps for secret in app.app_secrets)


@lru_cache(maxsize=4)
def _verify_tokens(tenants: Tenants) -> tuple[bytes, ...]:
    return tuple(app.verify_token.get_secret_value().encode() for app in tenants.cloud_apps)
