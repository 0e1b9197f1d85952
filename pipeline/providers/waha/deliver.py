"""WAHA's HTTP API: its calls, its default URL and its errors."""

from __future__ import annotations

from typing import Final

from pipeline.providers.gateway.answer import ErrorAnswer, GatewayAnswer, error_text
from pipeline.providers.gateway.deliver import Dialect
from pipeline.providers.waha.bodies import BUILDERS
from pipeline.providers.waha.error_codes import TABLE
from pipeline.tenants import Account

DEFAULT_URL: Final = "http://127.0.0.1:3000"
"""WAHA's address of an account that names none."""


def _headers(account: Account) -> dict[str, str]:
    return {"X-Api-Key": account.token.get_secret_value()}


def _read_error(answer: GatewayAnswer) -> ErrorAnswer | None:
    """Return the error of an answer. WAHA's errors are NestJS's: `{"statusCode", "message"}`.

    A 422 with an `expected` status means that the session is not running, which may pass. Any other 422 means that an
    engine or an edition can't do something, which is permanent.
    """
    if answer.status < 400 or not answer.content:
        return None
    unsupported = answer.status == 422 and "expected" not in answer.content
    return ErrorAnswer(400 if unsupported else answer.status, error_text(answer.content) or f"HTTP {answer.status}")


DIALECT: Final = Dialect(BUILDERS, DEFAULT_URL, _headers, _read_error, TABLE)
