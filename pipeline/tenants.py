"""Tenants, with their accounts, lanes and secrets, from one YAML file."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from secrets import token_hex
from sys import intern
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from pipeline.errors import ConfigurationError
from pipeline.secret_index import SecretIndex
from pipeline.topics.agents import AgentEntry
from pipeline.topics.lifetimes import Overrides
from pipeline.topics.refusals import SendRefusals
from pipeline.yaml_reader import line_of, read_yaml


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
MAX_STAND_INS: Final = 64
"""Tenants of a provider that are copied with other secrets, to answer for those who are no customers."""
_INSTALLED_SAMPLE: Final = Path(__file__).with_name("tenants.sample.yaml")

Shared = Annotated[str, AfterValidator(intern)]
"""A text that many accounts have: it is in memory once."""
Resolved = Annotated[Shared, BeforeValidator(_resolve)]
Secret = Annotated[SecretStr, BeforeValidator(_not_empty), BeforeValidator(_resolve)]


def sample() -> Path:
    """Return the sample's path: the checkout's own, which may be edited there, else the copy that is installed."""
    return SAMPLE if SAMPLE.is_file() else _INSTALLED_SAMPLE


_NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_CONFIG: Final = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
# The models of the file are dataclasses with slots: an account is 0.5 kB, and as a `BaseModel` it was 1.9 kB.


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class CloudApp:
    """A Meta app of one or more tenants. Two secrets are accepted while one is being rotated.

    Attributes:
        accounts: phone_number_ids and WABA ids whose webhooks this app signs, and no other app; empty: all that no
            app lists.
    """

    id: str
    accounts: tuple[str, ...] = ()
    app_secrets: tuple[Secret, ...] = Field(min_length=1, max_length=2)
    verify_token: Secret


class PairReading(StrEnum):
    """The reading of the limit to one person: `auto` is a bucket for interactive commands and a debt for bulk."""

    AUTO = "auto"
    BUCKET = "bucket"
    DEBT = "debt"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class AccountLimits:
    """Limits of an account at its provider.

    Attributes:
        messages_per_second: None is that of the plan, or the provider's default in `RATES` (Cloud API: 80; 1,000 after
            an upgrade, 20 for a number that is also in the Business app).
        plan: name of a plan of the provider, in `PLANS`.
        pair: the reading of the limit to one person; None is `auto` for the Cloud API and `off` elsewhere.
        messages_per_day: messages in any 24 hours; None: any number.
        template_recipients_per_day: people who get a template in any 24 hours (Meta's messaging limit, for as much of
            it as this number may use); None: any number.
    """

    messages_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    plan: Shared | None = None
    pair: PairReading | None = None
    messages_per_day: int | None = Field(default=None, ge=1)
    template_recipients_per_day: int | None = Field(default=None, ge=1)


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class SendLimits:
    """Quotas of a tenant for sends over the HTTP API, in each ingress process. None is the setting `PIPELINE_API_…`.

    Attributes:
        rate: sends per second, of any priority.
        burst: sends at once after a quiet time.
        interactive_rate: the same for sends that stay interactive.
        interactive_burst: the same for sends that stay interactive.
        key_share: share of each quota that one API key may use.
    """

    rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    burst: float | None = Field(default=None, ge=1, allow_inf_nan=False)
    interactive_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    interactive_burst: float | None = Field(default=None, ge=1, allow_inf_nan=False)
    key_share: float | None = Field(default=None, gt=0, le=1)

    @field_validator("interactive_rate", "interactive_burst")
    @classmethod
    def _is_reachable(cls, value: float | None, info: ValidationInfo) -> float | None:
        name = str(info.field_name).removeprefix("interactive_")
        most = info.data.get(name)
        if value is not None and most is not None and value > most:
            raise ValueError(f"above {name}, so it could never be used: lower it, or raise that")
        return value


RATES: Final[Mapping[str, float]] = MappingProxyType({"cloud": 80.0, "wasender": 4.0, "wawp": 0.3, "waha": 1.0})
"""Default messages per second of an account. Cloud API: Meta; Wasender: 256 a minute in every paid plan. Wawp and WAHA
publish no figures, and WhatsApp bans accounts that flood, so both get the rate of a busy person."""
DEFAULT_RATE: Final = 1.0
"""Messages per second for a provider that is not in `RATES`."""
PLANS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {"wasender": {"trial": 1 / 60, "paid": 256 / 60, "protected": 1 / 5}}
)
"""Messages per second by provider and plan. Wasender: a trial, every paid plan, a session with account protection."""
DEFAULT_WEIGHT: Final = 1.0
"""The weight of a tenant that names none, and of one that is not in the file."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class Account:
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

    provider: Shared
    id: str
    business_id: Shared | None = None
    display_phone_number: str | None = None
    session: str | None = None
    webhook_secrets: tuple[Secret, ...] = Field(default=(), max_length=2)
    allowed_ips: tuple[IPvAnyNetwork, ...] = ()
    token: Secret
    base_url: Resolved | None = None
    api_version: Shared = "v23.0"
    limits: AccountLimits = AccountLimits()

    @property
    def rate(self) -> float:
        """Messages that may be sent per second."""
        plan = PLANS.get(self.provider, {}).get(self.limits.plan or "")
        return self.limits.messages_per_second or plan or RATES.get(self.provider, DEFAULT_RATE)

    @property
    def pair_reading(self) -> PairReading:
        """The reading of the limit to one person."""
        return self.limits.pair or (PairReading.AUTO if self.provider == "cloud" else PairReading.OFF)

    @model_validator(mode="after")
    def _has_the_plan(self) -> Self:
        if (plan := self.limits.plan) is not None and plan not in (plans := PLANS.get(self.provider, {})):
            known = f"one of {', '.join(plans)}" if plans else "messages_per_second"
            raise ValueError(f"{self.provider} has no plan {plan!r}: write {known}")
        return self

    @property
    def session_name(self) -> str:
        """The provider's name for the account, in webhooks and API calls."""
        return self.session or self.id


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class Tenant:
    """A company.

    Attributes:
        handler: dotted path; None means the default handler.
        in_doubt: policy for a send whose result is unknown after the reconcile window. `resend` prefers sending twice
            to not sending, up to `PIPELINE_RESENDS` times; `give_up` prefers not sending.
        weight: its share of fair turns, in relation to the other tenants' weights: while both have work, one with 2 is
            given twice the turns of one with 1.
        api_keys: keys of the HTTP API for sends (docs/send-api.md); without one this tenant can't use it.
        send_limits: quotas of the HTTP API.
        lifetimes: seconds in which a command may be sent, by kind or priority; they win over `PIPELINE_LIFETIMES`.
        refusals: the sends that fail before the call.
        template_language: the language of templates whose send names none, e.g. `en_US`; None: such a send is refused.
    """

    id: str = Field(pattern=_NAME)
    lane: Shared = Field(default="default", pattern=_NAME)
    handler: Shared | None = None
    in_doubt: Literal["resend", "give_up"] = "resend"
    weight: float = Field(default=DEFAULT_WEIGHT, gt=0, allow_inf_nan=False)
    accounts: tuple[Account, ...] = ()
    api_keys: tuple[Secret, ...] = ()
    send_limits: SendLimits = SendLimits()
    lifetimes: Overrides = Field(default_factory=dict)
    refusals: SendRefusals = SendRefusals()
    template_language: Shared | None = Field(default=None, min_length=2, max_length=32)


class TenantsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    cloud_apps: tuple[CloudApp, ...] = ()
    agents: tuple[AgentEntry, ...] = ()
    tenants: tuple[Tenant, ...]


Model = TypeVar("Model", Tenant, TenantsFile)

_TENANT: Final = TypeAdapter(Tenant)
_FILE: Final = TypeAdapter(TenantsFile)


class _ProviderIndex:
    """The accounts at one provider.

    Attributes:
        accounts: each account and its tenant, by account id.
        businesses: the tenant by business (WABA) id.
        renamed: the accounts that name a session, by session and tenant.
        single: the account of each tenant that has one; None for a tenant that has several.
        openable: the accounts that have webhook secrets, by tenant.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, tuple[Tenant, Account]] = {}
        self.businesses: dict[str, Tenant] = {}
        self.renamed: dict[str, dict[str, list[Account]]] = {}
        self.single: dict[str, Account | None] = {}
        self.openable: dict[str, list[Account]] = {}
        self._stand_ins: list[tuple[Account, ...]] | None = None

    def add(self, tenant: Tenant, account: Account) -> None:
        """Add an account. Raise `ConfigurationError` if it, or its business, is another tenant's."""
        if account.id in self.accounts:
            raise ConfigurationError(
                f"tenants file: two tenants own {account.provider} account {account.id}: remove one"
            )
        self.accounts[account.id] = (tenant, account)
        if account.business_id and (owner := self.businesses.setdefault(account.business_id, tenant)) is not tenant:
            raise ConfigurationError(
                f"tenants file: {owner.id} and {tenant.id} both have {account.provider} business_id "
                f"{account.business_id}: a webhook that names only that would be the first one's; correct one"
            )
        if account.session:
            self.renamed.setdefault(account.session, {}).setdefault(tenant.id, []).append(account)
        self.single[tenant.id] = None if tenant.id in self.single else account
        if account.webhook_secrets:
            self.openable.setdefault(tenant.id, []).append(account)

    def stand_ins(self) -> list[tuple[Account, ...]]:
        """Return copies of some tenants' accounts, with other secrets."""
        if self._stand_ins is None:
            step = max(1, len(self.openable) // MAX_STAND_INS)
            models = islice(self.openable.values(), 0, step * MAX_STAND_INS, step)
            self._stand_ins = [tuple(map(_with_other_secrets, accounts)) for accounts in models]
        return self._stand_ins


_NO_ACCOUNTS: Final = _ProviderIndex()


class Tenants:
    """The tenants of this installation, indexed by the ids in webhooks and commands. No look-up is a scan.

    Attributes:
        lanes: the lanes of the tenants, and `default`, in order.
        agents: the agents beside the handlers, by id.
    """

    def __init__(self, content: TenantsFile) -> None:
        self.cloud_apps = content.cloud_apps
        self.lanes = sorted({tenant.lane for tenant in content.tenants} | {"default"})
        self._by_id: dict[str, Tenant] = {}
        self._providers: dict[str, _ProviderIndex] = {}
        self._api_keys = SecretIndex[Tenant]()
        self._webhook_secrets = SecretIndex[Account]()
        for tenant in content.tenants:
            self._add(tenant)
        for app in self.cloud_apps:
            self._require_known(app)
        self.agents: dict[str, AgentEntry] = {}
        for agent in content.agents:
            self._add_agent(agent)

    def _add(self, tenant: Tenant) -> None:
        if self._by_id.setdefault(tenant.id, tenant) is not tenant:
            raise ConfigurationError(f"tenants file: two tenants are called {tenant.id}: rename one")
        for account in tenant.accounts:
            self._providers.setdefault(account.provider, _ProviderIndex()).add(tenant, account)
            for secret in dict.fromkeys(account.webhook_secrets):
                self._webhook_secrets.add(account, tenant.id, account.provider, secret.get_secret_value())
        for key in tenant.api_keys:
            if len(self._api_keys.add(tenant, key.get_secret_value())) > 1:
                raise ConfigurationError("tenants file: an API key is there twice: give every tenant keys of its own")

    def _add_agent(self, agent: AgentEntry) -> None:
        if self.agents.setdefault(agent.id, agent) is not agent:
            raise ConfigurationError(f"tenants file: two agents are called {agent.id}: rename one")
        for name in agent.tenants:
            if name not in self._by_id:
                raise ConfigurationError(
                    f"tenants file: the agent {agent.id} reads the events of {name}, which is no tenant: correct it"
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

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, tenant_id: str) -> Tenant | None:
        return self._by_id.get(tenant_id)

    def read_by(self, agent: AgentEntry) -> list[Tenant]:
        """Return the tenants whose events an agent reads."""
        return [self._by_id[name] for name in agent.tenants] if agent.tenants else list(self)

    def weight(self, tenant_id: str) -> float:
        """Return the tenant's share of fair turns, in relation to other tenants' weights."""
        tenant = self._by_id.get(tenant_id)
        return tenant.weight if tenant else DEFAULT_WEIGHT

    def candidates(self, tenant_id: str | None, provider: str) -> Sequence[Account]:
        """Return the accounts whose secrets may authenticate a webhook to this tenant's path.

        For an unknown tenant, or one without an account at the provider, return accounts of another tenant with random
        secrets, which match nothing: the response time then does not tell who is a customer.
        """
        index = self._index(provider)
        found = index.openable.get(tenant_id or "")
        if found is None and tenant_id and (stand_ins := index.stand_ins()):
            return stand_ins[hash(tenant_id) % len(stand_ins)]
        return found or ()

    def secret_holders(self, tenant_id: str | None, provider: str, secret: str) -> Sequence[Account]:
        """Return the accounts of a tenant that have a webhook secret. It takes the same time for every tenant."""
        return self._webhook_secrets.find(tenant_id or "", provider, secret)

    def keyholder(self, api_key: str) -> Tenant | None:
        """Return the tenant of an API key. It takes the same time for every key of one length."""
        found = self._api_keys.find(api_key)
        return found[0] if found else None

    def owner(self, provider: str, account: str) -> Tenant | None:
        """Return the tenant of an account id, or of a business (WABA) id if a webhook names only that."""
        index = self._providers.get(provider, _NO_ACCOUNTS)  # once per event, so without another call
        found = index.accounts.get(account)
        return found[0] if found else index.businesses.get(account)

    def account(self, provider: str, account: str) -> Account | None:
        found = self._providers.get(provider, _NO_ACCOUNTS).accounts.get(account)
        return found[1] if found else None

    def own_account(self, tenant_id: str, provider: str, account: str) -> Account | None:
        """Return a tenant's account by its id."""
        found = self._index(provider).accounts.get(account)
        return found[1] if found and found[0].id == tenant_id else None

    def single_account(self, tenant_id: str, provider: str) -> Account | None:
        """Return the tenant's account at a provider if it has one there, and not several."""
        return self._index(provider).single.get(tenant_id)

    def sessions(self, tenant_id: str, provider: str, session: str) -> Sequence[Account]:
        """Return the tenant's accounts with a session: first the one that has it as its id, then as in the file."""
        named = self.own_account(tenant_id, provider, session)
        renamed = self._index(provider).renamed.get(session, {}).get(tenant_id, ())
        return renamed if named is None or named.session else (named, *renamed)

    def has_session(self, provider: str, session: str) -> bool:
        """Return True if some tenant has an account with this session."""
        found = self.account(provider, session)
        return session in self._index(provider).renamed or (found is not None and found.session_name == session)

    def accounts(self, provider: str) -> list[Account]:
        """Return all accounts at a provider, for checks of the whole file."""
        return [account for _, account in self._index(provider).accounts.values()]

    def _index(self, provider: str) -> _ProviderIndex:
        return self._providers.get(provider, _NO_ACCOUNTS)


def _with_other_secrets(account: Account) -> Account:
    secrets = tuple(SecretStr(token_hex(len(each.get_secret_value()))) for each in account.webhook_secrets)
    return replace(account, webhook_secrets=secrets)


def load_tenants(path: Path | None, environ: Mapping[str, str] | None = None) -> Tenants:
    """Read the tenants file. Raise `ConfigurationError` with one line for the first error.

    None is an error too: the secrets of the sample are public, so only `pipeline up` may use it as a default.
    """
    if path is None:
        raise ConfigurationError(
            "PIPELINE_TENANTS is not set: set it to your tenants file (only `pipeline up` uses the sample by itself)"
        )
    context = {"environ": os.environ if environ is None else environ}
    try:
        with _without_garbage_collection():
            return Tenants(_read(path, context))
    except _InvalidContent as error:
        raise ConfigurationError(f"the tenants file {path} is wrong at {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"can't read the tenants file {path} ({_reason(error)}): set PIPELINE_TENANTS"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the tenants file {path} is not YAML{_where(error)}: correct it") from None


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Leave out the collections that hundreds of thousands of new objects would cause: none of them is garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _InvalidContent(Exception):
    """The content of the file is not valid; the text says where, and why."""


def _read(path: Path, context: dict[str, Any]) -> TenantsFile:
    """Return the content of the file. Each tenant is validated when it has been read, and its raw form let go."""
    with path.open(encoding="utf-8") as stream:
        content = read_yaml(stream, {"tenants": partial(_validated, path, context)})
    return _checked(path, _FILE, content, context)


def _validated(path: Path, context: dict[str, Any], position: int, content: object) -> Tenant:
    return _checked(path, _TENANT, content, context, "tenants", position)


def _checked(
    path: Path, form: TypeAdapter[Model], content: object, context: dict[str, Any], *place: str | int
) -> Model:
    """Return the content as the model of its form. Raise `_InvalidContent`, with the line and the tenant."""
    try:
        return form.validate_python(content, context=context)
    except ValidationError as error:
        first: ErrorDetails = error.errors(include_input=False, include_url=False)[0]
        where = (*place, *first["loc"])
        with path.open(encoding="utf-8") as stream:
            marks = [f"line {line_of(stream, where)}", *_named(content if place else None)]
        message = "there is no such field" if first["type"] == "unexpected_keyword_argument" else first["msg"]
        raise _InvalidContent(f"{'.'.join(map(str, where)) or 'its top'} ({', '.join(marks)}): {message}") from None


def _named(tenant: object) -> Iterator[str]:
    """Yield the name of a tenant that is not valid. Anything but a valid id is left out: it may be a secret."""
    name = tenant.get("id") if isinstance(tenant, dict) else None
    if isinstance(name, str) and re.fullmatch(_NAME, name):
        yield f"tenant {name}"


def _where(error: Exception) -> str:
    mark, start = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    context = f", {getattr(error, 'context', '')} from line {start.line + 1}" if start else ""
    return f" (line {mark.line + 1}: {getattr(error, 'problem', '')}{context})" if mark else ""
