"""Tenants, with their accounts, lanes and secrets, from one YAML file."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    ValidationInfo,
)

from pipeline.errors import ConfigurationError
from pipeline.topics.lifetimes import NO_OVERRIDES, Overrides


def _resolve(value: object, info: ValidationInfo) -> object:
    """Replace `env:NAME` and `file:PATH` by the value that they refer to; return anything else unchanged."""
    if not isinstance(value, str):
        return value
    if value.startswith("env:"):
        environ: Mapping[str, str] = (info.context or {}).get("environ", os.environ)
        name = value.removeprefix("env:")
        if name not in environ:
            raise ValueError(f"the environment variable {name} is not set")
        return environ[name]
    if value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"can't read the file {path} ({_reason(error)})") from None
    return value


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror)


def _not_empty(value: object) -> object:
    if value == "":
        raise ValueError("a secret can't be empty")
    return value


SAMPLE: Final = Path("examples/tenants.yaml")
"""The tenants file of `pipeline up`. Its secrets are public."""
PUBLISHED: Final = "sandbox-"
"""Prefix of every secret of the sample file."""
_INSTALLED_SAMPLE: Final = Path(__file__).with_name("tenants.sample.yaml")

Resolved = Annotated[str, BeforeValidator(_resolve)]
Secret = Annotated[SecretStr, BeforeValidator(_not_empty), BeforeValidator(_resolve)]


def sample() -> Path:
    """Return the sample's path: the checkout's own, which may be edited there, else the copy that is installed."""
    return SAMPLE if SAMPLE.is_file() else _INSTALLED_SAMPLE


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class CloudApp(_Model):
    """A Meta app of one or more tenants. Two secrets are accepted while one is being rotated.

    Attributes:
        accounts: phone_number_ids and WABA ids whose webhooks this app signs, and no other app; empty: all that no
            app lists.
    """

    id: str
    accounts: tuple[str, ...] = ()
    app_secrets: tuple[Secret, ...] = Field(min_length=1, max_length=2)
    verify_token: Secret


class AccountLimits(_Model):
    """Limits of an account at its provider: messages per second and sending number (Cloud API: 80 or 1,000).

    None is the provider's default in `RATES`.
    """

    messages_per_second: float | None = Field(None, gt=0)


RATES: Final[Mapping[str, float]] = MappingProxyType({"cloud": 80.0, "wasender": 4.0, "wawp": 0.3, "waha": 1.0})
"""Default messages per second of an account. Cloud API: Meta; Wasender: 256 a minute in every paid plan. Wawp and WAHA
publish no figures, and WhatsApp bans accounts that flood, so both get the rate of a busy person."""
DEFAULT_RATE: Final = 1.0
"""Messages per second for a provider that is not in `RATES`."""


class Account(_Model):
    """A sending and receiving identity at a provider.

    Attributes:
        id: phone_number_id (Cloud API), session (Wasender) or instance (Wawp).
        business_id: the WABA id, where the provider has one.
        session: the provider's name for the account, if it is not unique and can't be the id: every WAHA server calls
            its only session `default`.
        webhook_secrets: secrets that authenticate webhooks, for providers whose secret belongs to the account.
        allowed_ips: addresses or networks that webhooks may come from, beside the secret; empty: any.
        token: authenticates calls to the provider.
    """

    provider: str
    id: str
    business_id: str | None = None
    display_phone_number: str | None = None
    session: str | None = None
    webhook_secrets: tuple[Secret, ...] = Field((), max_length=2)
    allowed_ips: tuple[IPvAnyNetwork, ...] = ()
    token: Secret
    base_url: Resolved | None = None
    api_version: str = "v23.0"
    limits: AccountLimits = AccountLimits()

    @property
    def rate(self) -> float:
        """Messages that may be sent per second."""
        return self.limits.messages_per_second or RATES.get(self.provider, DEFAULT_RATE)

    @property
    def session_name(self) -> str:
        """The provider's name for the account, in webhooks and API calls."""
        return self.session or self.id


class Tenant(_Model):
    """A company.

    Attributes:
        handler: dotted path; None means the default handler.
        in_doubt: policy for a send whose result is unknown after the reconcile window. `resend` prefers sending twice
            to not sending, up to `PIPELINE_RESENDS` times; `give_up` prefers not sending.
        api_keys: keys of the HTTP API for sends (docs/send-api.md); without one this tenant can't use it.
        lifetimes: seconds in which a command may be sent, by kind or priority; they win over `PIPELINE_LIFETIMES`.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    lane: str = Field("default", pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    handler: str | None = None
    in_doubt: Literal["resend", "give_up"] = "resend"
    accounts: tuple[Account, ...] = ()
    api_keys: tuple[Secret, ...] = ()
    lifetimes: Overrides = NO_OVERRIDES


class TenantsFile(_Model):
    cloud_apps: tuple[CloudApp, ...] = ()
    tenants: tuple[Tenant, ...]


class Tenants:
    """The tenants of this installation, indexed by the ids in webhooks and commands."""

    def __init__(self, content: TenantsFile) -> None:
        self.cloud_apps = content.cloud_apps
        self._by_id: dict[str, Tenant] = {}
        self._by_account: dict[tuple[str, str], tuple[Tenant, Account]] = {}
        self._by_business: dict[tuple[str, str], Tenant] = {}
        self._stand_ins_by_provider: dict[str, list[tuple[Account, ...]]] = {}
        for tenant in content.tenants:
            if self._by_id.setdefault(tenant.id, tenant) is not tenant:
                raise ConfigurationError(f"tenants file: two tenants are called {tenant.id}: rename one")
            for account in tenant.accounts:
                self._add(tenant, account)
        for app in self.cloud_apps:
            self._require_known(app)
        self._openable = dict(self._with_secrets())
        self._keyholders = [(_digest(key.get_secret_value()), tenant) for tenant in self for key in tenant.api_keys]
        if len({digest for digest, _ in self._keyholders}) < len(self._keyholders):
            raise ConfigurationError("tenants file: an API key is there twice: give every tenant keys of its own")

    def _add(self, tenant: Tenant, account: Account) -> None:
        if (account.provider, account.id) in self._by_account:
            raise ConfigurationError(
                f"tenants file: two tenants own {account.provider} account {account.id}: remove one"
            )
        self._by_account[account.provider, account.id] = (tenant, account)
        if account.business_id:
            owner = self._by_business.setdefault((account.provider, account.business_id), tenant)
            if owner is not tenant:
                raise ConfigurationError(
                    f"tenants file: {owner.id} and {tenant.id} both have {account.provider} business_id "
                    f"{account.business_id}: a webhook that names only that would be the first one's; correct one"
                )

    def _require_known(self, app: CloudApp) -> None:
        for name in app.accounts:
            if self.owner("cloud", name) is None:
                raise ConfigurationError(
                    f"tenants file: the cloud app {app.id} lists {name}, which is no tenant's account: "
                    "write a phone_number_id or a business_id of a cloud account there"
                )

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self._by_id.values())

    def get(self, tenant_id: str) -> Tenant | None:
        return self._by_id.get(tenant_id)

    def candidates(self, tenant_id: str | None, provider: str) -> Sequence[Account]:
        """Return the accounts whose secrets may authenticate a webhook to this tenant's path.

        For an unknown tenant, or one without an account at the provider, return accounts of another tenant with random
        secrets, which match nothing: the response time then does not tell who is a customer.
        """
        found = self._openable.get((tenant_id or "", provider))
        if found is None and tenant_id and (models := self._stand_ins(provider)):
            return models[hash(tenant_id) % len(models)]
        return found or ()

    def _stand_ins(self, provider: str) -> list[tuple[Account, ...]]:
        found = self._stand_ins_by_provider.get(provider)
        if found is None:
            models = [accounts for (_, name), accounts in self._openable.items() if name == provider]
            found = [tuple(map(_with_other_secrets, accounts)) for accounts in models]
            self._stand_ins_by_provider[provider] = found
        return found

    def _with_secrets(self) -> Iterator[tuple[tuple[str, str], tuple[Account, ...]]]:
        """Yield the accounts that have webhook secrets, by tenant and provider."""
        for tenant in self:
            for provider in {account.provider for account in tenant.accounts}:
                accounts = (each for each in tenant.accounts if each.provider == provider and each.webhook_secrets)
                if found := tuple(accounts):
                    yield (tenant.id, provider), found

    def keyholder(self, api_key: str) -> Tenant | None:
        """Return the tenant of an API key. It takes constant time, because every key is compared completely."""
        given = _digest(api_key)
        found = [tenant for digest, tenant in self._keyholders if hmac.compare_digest(digest, given)]
        return found[0] if found else None

    def owner(self, provider: str, account: str) -> Tenant | None:
        """Return the tenant of an account id, or of a business (WABA) id if a webhook names only that."""
        found = self._by_account.get((provider, account))
        return found[0] if found else self._by_business.get((provider, account))

    def account(self, provider: str, account: str) -> Account | None:
        found = self._by_account.get((provider, account))
        return found[1] if found else None

    def accounts(self, provider: str) -> list[Account]:
        return [account for (name, _), (_, account) in self._by_account.items() if name == provider]

    @property
    def lanes(self) -> list[str]:
        return sorted({tenant.lane for tenant in self} | {"default"})


def _with_other_secrets(account: Account) -> Account:
    secrets = tuple(SecretStr(token_hex(len(each.get_secret_value()))) for each in account.webhook_secrets)
    return account.model_copy(update={"webhook_secrets": secrets})


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def load_tenants(path: Path | None, environ: Mapping[str, str] | None = None) -> Tenants:
    """Read the tenants file. Raise `ConfigurationError` with one line for the first error.

    None is an error too: the secrets of the sample are public, so only `pipeline up` may use it as a default.
    """
    if path is None:
        raise ConfigurationError(
            "PIPELINE_TENANTS is not set: set it to your tenants file (only `pipeline up` uses the sample by itself)"
        )
    try:
        content: Any = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"can't read the tenants file {path} ({_reason(error)}): set PIPELINE_TENANTS"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the tenants file {path} is not YAML{_where(error)}: correct it") from None
    try:
        context = {"environ": os.environ if environ is None else environ}
        return Tenants(TenantsFile.model_validate(content, context=context))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"the tenants file {path} is wrong at {where or 'its top'}: {first['msg']}") from None


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark else ""
