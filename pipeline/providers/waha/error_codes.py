"""WAHA's error codes: the HTTP statuses of its errors."""

from __future__ import annotations

from typing import Final

from pipeline.providers.code_policy import Source
from pipeline.providers.gateway.error_codes import table

WAHA: Final = Source("WAHA", "https://waha.devlike.pro/docs/how-to/send-messages/")

TABLE: Final = table(WAHA, {})
