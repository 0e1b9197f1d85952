"""The errors of the HTTP API. The response of each is a `SendResult`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Final

import orjson
from aiohttp import web

from pipeline.errors import Unsendable
from pipeline.handlers.results import SendResult
from pipeline.ingress.admission import Rejected
from pipeline.ingress.rejections import Quota
from pipeline.ingress.responses import BareResponse
from pipeline.tenants import Tenant

DERIVED: Final = (
    "command_id",
    "recipient_bsuid",
    "recipient_phone",
    "recipient_parent_bsuid",
    "recipient_username",
)
"""The properties of `SendResult` that a response has beside its fields."""
_QUOTA_NAMES: Final = {
    Quota.SENDS: "sends",
    Quota.INTERACTIVE: "interactive sends",
    Quota.UPLOADS: "uploads at once",
}
TOO_LARGE: Final = "FILE_SIZE_EXCEEDED"


class InvalidSend(Rejected):
    """The request or the message in it is not valid. `status` is 400, 409, 413 or 422."""

    def __init__(self, status: int, result: SendResult) -> None:
        super().__init__(status)
        self.result = result

    @classmethod
    def because(cls, reason: str, status: int = 400, code: str = "VALIDATION") -> InvalidSend:
        """Return a validation error with a reason in one line."""
        return cls(status, SendResult(False, error=reason, error_code=code))

    @classmethod
    def of(cls, error: Unsendable) -> InvalidSend:
        """Return the error of a file: 413 for one that is too large."""
        return cls.because(str(error), 413 if error.code == TOO_LARGE else 422, error.code)

    def response(self) -> web.Response:
        """Return the result as JSON."""
        return result_response(self.status, self.result)


class OverQuota(Rejected):
    """The tenant or its key has used its quota up: 429, and `Retry-After` says when the next send is admitted.

    Args:
        seconds: until then.
    """

    def __init__(self, tenant: Tenant, quota: Quota, seconds: float) -> None:
        super().__init__(429)
        self._retry_after = max(1, math.ceil(seconds))
        advice = f"ask again after {self._retry_after} s" + (", or send it as bulk" * (quota is Quota.INTERACTIVE))
        error = f"the quota of {_QUOTA_NAMES[quota]} is used up: {advice}"
        self._result = SendResult(False, error=error, error_code="RATE_LIMITED", tenant_id=tenant.id)

    def response(self) -> web.Response:
        """Return the result as JSON, with `Retry-After` in seconds."""
        made = result_response(self.status, self._result)
        made.headers["Retry-After"] = str(self._retry_after)
        return made


def result_response(status: int, result: SendResult) -> web.Response:
    """Return a result as JSON."""
    content = asdict(result) | {name: getattr(result, name) for name in DERIVED}
    return BareResponse(status=status, body=orjson.dumps(content), content_type="application/json")
