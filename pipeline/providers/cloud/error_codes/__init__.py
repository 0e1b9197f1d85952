"""Meta's error codes: a row for each code that the Cloud API documents, and for the HTTP statuses of answers without.

The waits for 130429, 131056 and 131049 are Meta's advice; the others follow from the meaning of the codes. HTTP
statuses do not help beside a code, because permanent and transient errors share them.

Codes 1, 2, 131000, 131016 and 135000 are retried a few times. Meta answered, and the answer is a failure. A duplicate
is possible but unlikely, while without a retry the loss is certain.

An account is paused only by a code that is true of all of its sends. A missing permission (3, 10, 200 to 299, 131005)
may concern one kind of send alone, and a payment (131042) only what is paid for, so the others go on.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from pipeline.providers.cloud.error_codes.accounts import ACCOUNTS
from pipeline.providers.cloud.error_codes.families import FAMILIES
from pipeline.providers.cloud.error_codes.limits import LIMITS, NUMBER_LIMIT, PAIR_LIMIT
from pipeline.providers.cloud.error_codes.messages import MESSAGES
from pipeline.providers.cloud.error_codes.service import SERVICE
from pipeline.providers.cloud.error_codes.sources import META
from pipeline.providers.code_policy import OTHER_STATUS, PROXY_STATUSES, Action, CodePolicy, CodeTable

__all__ = ["NUMBER_LIMIT", "PAIR_LIMIT", "TABLE"]

TABLE: Final = CodeTable(
    codes=MappingProxyType({**LIMITS, **SERVICE, **ACCOUNTS, **MESSAGES, **FAMILIES}),
    other=CodePolicy("any other code", "read the outcome's text, and tell us", META),
    statuses=PROXY_STATUSES,
    other_status=OTHER_STATUS,
    transient=CodePolicy("any other code, if Meta marks the error as transient", "nothing", META, Action.RETRY),
)
