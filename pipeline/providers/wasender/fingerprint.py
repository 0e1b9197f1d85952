"""Replace secrets that Wasender writes into its webhooks, before anything is published.

The documented value of `sessionId` is the session's API key. It is replaced by a fingerprint, from which the key can't
be computed and by which webhooks of one key still match. A `sessionId` that is neither the key nor the session's id is
replaced as well, because it may be the key before the last rotation. The key and the webhook secrets are replaced
anywhere in the body. The code of `qrcode.updated` is replaced, because it allows to link a device to the account.

The replacement works on bytes, so that all other bytes are unchanged, and so that invalid JSON is covered.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Final

from pipeline.tenants import Account

_FIELDS: Final = re.compile(rb'("(?:sessionId|qr)"\s*:\s*)"((?:[^"\\]|\\.)*)"', re.S)
_MIN_SECRET_LENGTH: Final = 8
"""Minimum length of a secret in characters. A shorter one may occur in a text by chance."""


def fingerprint(secret: bytes) -> bytes:
    """Return a secret's fingerprint: `sha256:` and 16 hexadecimal digits."""
    return b"sha256:" + sha256(secret).hexdigest()[:16].encode()


def replace_secrets(body: bytes, account: Account) -> bytes:
    """Return the body with fingerprints in place of secrets; the same object without secrets."""
    for secret in (account.token, *account.webhook_secrets):
        text = secret.get_secret_value()
        for written in _json_spellings(text) if len(text) >= _MIN_SECRET_LENGTH else ():
            if written in body:
                body = body.replace(written, fingerprint(text.encode()))
    named = b'"sessionId"' in body or b'"qr"' in body
    return _replace_fields(body, account.id.encode()) if named else body


def _replace_fields(body: bytes, session: bytes) -> bytes:
    def hidden(found: re.Match[bytes]) -> bytes:
        name, value = found.groups()
        if value in (b"", session) or value.startswith(b"sha256:"):
            return found[0]
        return name + b'"' + fingerprint(value) + b'"'

    return _FIELDS.sub(hidden, body)


def _json_spellings(secret: str) -> set[bytes]:
    """Return all JSON encodings of a secret: with few or many escapes, and with PHP's escaped slashes."""
    written = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return {each.encode() for text in (secret, *written) for each in (text, text.replace("/", "\\/"))}
