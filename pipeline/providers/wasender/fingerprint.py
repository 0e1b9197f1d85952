"""Secrets that Wasender writes into its webhooks, taken out before anything is published.

The documented value of `sessionId` is the session's API key. It is replaced by a fingerprint, from which the key
can't be had and by which webhooks of one key are still known as such. A `sessionId` that is neither the key nor the
session's id is taken for a key as well: it is the one that was valid before the last rotation. The key and the
webhook secrets are replaced wherever else they stand. So is the code of `qrcode.updated`: who reads it can link a
device to the account.

This works on bytes, so that all others stay as they were, and so that what is no JSON is no exception.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Final

from pipeline.tenants import Account

_FIELDS: Final = re.compile(rb'("(?:sessionId|qr)"\s*:\s*)"((?:[^"\\]|\\.)*)"', re.S)
_SHORTEST: Final = 8
"""Anything shorter may stand in a text by chance."""


def fingerprint(secret: bytes) -> bytes:
    """The same for the same secret: `sha256:` and 16 hexadecimal digits."""
    return b"sha256:" + sha256(secret).hexdigest()[:16].encode()


def without_secrets(body: bytes, account: Account) -> bytes:
    """The body with fingerprints where secrets stood; the same object if there were none."""
    for secret in (account.token, *account.webhook_secrets):
        text = secret.get_secret_value()
        for written in _spellings(text) if len(text) >= _SHORTEST else ():
            if written in body:
                body = body.replace(written, fingerprint(text.encode()))
    named = b'"sessionId"' in body or b'"qr"' in body
    return _without_fields(body, account.id.encode()) if named else body


def _without_fields(body: bytes, session: bytes) -> bytes:
    def hidden(found: re.Match[bytes]) -> bytes:
        name, value = found.groups()
        if value in (b"", session) or value.startswith(b"sha256:"):
            return found[0]
        return name + b'"' + fingerprint(value) + b'"'

    return _FIELDS.sub(hidden, body)


def _spellings(secret: str) -> set[bytes]:
    """How the encoders of JSON write it: with few escapes or many, and with PHP's escaped slashes."""
    written = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return {each.encode() for text in (secret, *written) for each in (text, text.replace("/", "\\/"))}
