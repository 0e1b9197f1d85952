"""The configuration of a sandbox: its accounts, and its initial behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline.sandbox.errors import SandboxError
from pipeline.sandbox.limits import DEFAULT_LIMITS, NOTHING_GIVEN, SandboxLimits
from pipeline.sandbox.statuses import DEFAULT_STEPS, StatusStep

ACCOUNTS_VARIABLE: Final = "PIPELINE_SANDBOX_ACCOUNTS"


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """A business's account at a provider.

    Attributes:
        id: phone_number_id (Cloud API), session (Wasender) or instance (Wawp).
        token: required in calls to the provider.
        webhook_secret: signs webhooks; the app secret of the Meta app for the Cloud API.
        business_id: the WABA id, where the provider has one.
        verify_token: sent in the handshake of a callback URL, if the provider has one.
        tenant: its tenant, if the ingress's path contains it.
        plan: the plan of a Wasender session (`pipeline.sandbox.wasender.limits`).
        policy: the rate policy of a Wawp instance (`pipeline.sandbox.wawp.policies`).
        limits: its own limits; fields that are given here win over its plan's, its policy's and those of all accounts.
    """

    # A misspelt field in the accounts file must not become a default.
    __pydantic_config__ = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    provider: str
    id: str
    token: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    business_id: str | None = None
    display_phone_number: str | None = None
    verify_token: str | None = field(default=None, repr=False)
    tenant: str | None = None
    plan: Literal["paid", "protected", "trial"] = "paid"
    policy: Literal["strict", "standard_policy", "unlimited"] = "unlimited"
    limits: SandboxLimits = NOTHING_GIVEN


SAMPLE_ACCOUNTS: Final = (
    SandboxAccount(
        provider="cloud",
        id="106540352242922",
        token="sandbox-token",  # noqa: S106
        webhook_secret="sandbox-app-secret",  # noqa: S106
        business_id="102290129340398",
        display_phone_number="15559990000",
        verify_token="sandbox-verify-token",  # noqa: S106
    ),
    SandboxAccount("wasender", "globex-session", "sandbox-wasender-key", "sandbox-wasender-secret", tenant="globex"),
    SandboxAccount("wawp", "initech-instance", "sandbox-wawp-token", "sandbox-wawp-secret", tenant="initech"),
    SandboxAccount("waha", "initech-session", "sandbox-waha-key", "sandbox-waha-secret", tenant="initech"),
)
"""The accounts of `examples/tenants.yaml`. Their secrets are valid for a sandbox only."""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """The settings of a sandbox, fixed at its start.

    Attributes:
        port: 0 picks a free one.
        statuses: the statuses of each accepted message, with their times; empty for none.
        status_batch: maximum number of statuses in one webhook.
        status_concurrency: maximum number of webhooks in flight.
        status_cap: maximum number of messages with pending statuses; above it, statuses are left out and counted.
        give_up_after: seconds from the first attempt at a webhook to the last.
        ledger_cap: entries of each list under `/_sandbox`; the oldest are removed first.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    ingress_url: str = "http://127.0.0.1:8080"
    accounts: tuple[SandboxAccount, ...] = SAMPLE_ACCOUNTS
    limits: SandboxLimits = DEFAULT_LIMITS
    statuses: tuple[StatusStep, ...] = DEFAULT_STEPS
    status_batch: int = 1
    status_concurrency: int = 16
    status_cap: int = 200_000
    give_up_after: float = 300.0
    ledger_cap: int = 1_000_000


_ACCOUNTS: Final = TypeAdapter(tuple[SandboxAccount, ...])


def load_accounts(path: Path) -> tuple[SandboxAccount, ...]:
    """Load accounts from a JSON file: a list of objects with the fields of `SandboxAccount`. Raise `SandboxError`."""
    try:
        return _ACCOUNTS.validate_json(path.read_bytes())
    except OSError as error:
        raise SandboxError(f"can't read {path} ({error.strerror}): correct {ACCOUNTS_VARIABLE}") from None
    except ValidationError as error:
        raise SandboxError(f"{path} is wrong at {first_problem(error)}") from None


def accounts_from(environ: Mapping[str, str]) -> tuple[SandboxAccount, ...]:
    """Return the accounts of the file that the environment names, else those of the sample."""
    named = environ.get(ACCOUNTS_VARIABLE)
    return load_accounts(Path(named)) if named else SAMPLE_ACCOUNTS


def first_problem(error: ValidationError) -> str:
    """Return one line with the first error and its place, without the value, which may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where or 'its top'}: {first['msg'].lower()}"
