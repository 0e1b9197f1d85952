"""Wawp's error codes: HTTP statuses, also of errors that come inside a 200 (`pipeline.providers.wawp.deliver`)."""

from __future__ import annotations

from typing import Final

from pipeline.providers.code_policy import CodePolicy, Source
from pipeline.providers.gateway.error_codes import table

WAWP: Final = Source("Wawp", "https://wawp.net/docs/")

TABLE: Final = table(
    WAWP,
    {
        403: CodePolicy(
            "`subscription_required`: the plan does not include this call",
            "change the plan, or don't use this kind of send",
            WAWP,
            alerts=True,
        ),
        404: CodePolicy(
            "`invalid_session`: the instance does not exist",
            "correct the account's `id` in the tenants file",
            WAWP,
            alerts=True,
        ),
    },
)
