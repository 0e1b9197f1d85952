"""The checks of `pipeline doctor`. Each check returns findings; none raises for a problem."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args, get_type_hints
from urllib.parse import urlsplit

from pipeline.errors import ConfigurationError, PipelineError
from pipeline.private_files import is_open_to_others

if TYPE_CHECKING:
    from pydantic import SecretStr
    from redis.asyncio import Redis

    from pipeline.settings import Settings
    from pipeline.tenants import Account, Tenants

SERVICE_TIMEOUT: Final = 5.0
"""Timeout for all requests of one check to one service, in seconds."""
MAX_SKEW: Final = 1.0
"""Largest accepted difference of two clocks, in seconds: times to live and rate limits are in seconds."""
RETRY_SPAN: Final = 7 * 86_400
"""Seconds for which providers redeliver a webhook."""
MIN_FREE_BYTES: Final = 1024**3
"""Free bytes on disk below which a warning is shown."""

MAX_LISTED: Final = 10
"""Names that one finding lists."""

MIN_SECRET_LENGTH: Final = 16
"""Characters of a secret that authenticates callers. A shorter one can be guessed."""
MIN_DISTINCT_CHARACTERS: Final = 6
"""Different characters of such a secret."""

_OF_SAMPLE: Final = "sandbox-"


class CheckState(StrEnum):
    OK = "✓"
    WARNING = "!"
    WRONG = "✗"
    SKIPPED = "-"


class Finding(NamedTuple):
    """The result of a check: `text` describes the state and, unless it is good, what to do."""

    state: CheckState
    name: str
    text: str


def check_tenants(settings: Settings) -> tuple[list[Finding], Tenants | None]:
    """Check the tenants file and the secrets in it; return the tenants too if the file is valid."""
    from pipeline.tenants import load_tenants

    try:
        tenants = load_tenants(settings.tenants)
    except PipelineError as error:
        return [Finding(CheckState.WRONG, "tenants", str(error))], None
    path = settings.tenants or Path()
    accounts = [account for tenant in tenants for account in tenant.accounts]
    text = f"{path}: {_count(len(tenants), 'tenant')}, {_count(len(accounts), 'account')}"
    return [Finding(CheckState.OK, "tenants", text), _secrets(path, tenants, accounts)], tenants


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: list[str]) -> str:
    """Return names on one line, of many only the first ones."""
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _secrets(path: Path, tenants: Tenants, accounts: list[Account]) -> Finding:
    bare = sorted(f"{each.provider} account {each.id}" for each in accounts if _lacks_secret(each, tenants))
    if bare:
        text = f"nothing authenticates the webhooks of {listed(bare)}: add app_secrets or webhook_secrets"
        return Finding(CheckState.WRONG, "secrets", text)
    literals = _literals(path)
    of_sample = {value for value in literals if value.startswith(_OF_SAMPLE)}
    if weak := list(_weak(tenants, of_sample)):
        text = f"{listed(weak)}: too short or too simple: use {MIN_SECRET_LENGTH} or more random characters"
        return Finding(CheckState.WRONG, "secrets", text)
    if of_sample.issuperset(literals):
        return Finding(
            CheckState.OK, "secrets", "those of the sample, for the sandbox only" if literals else "complete"
        )
    text = f"{len(literals)} of them are literal values in {path}: write env:NAME or file:PATH instead"
    return Finding(CheckState.WARNING, "secrets", text)


def check_replays(settings: Settings, tenants: Tenants | None) -> list[Finding]:
    """Warn if a captured webhook can be replayed, or if one Cloud app's secret is valid for another one's accounts."""
    if tenants is None:
        return [Finding(CheckState.SKIPPED, "replays", "they follow from the tenants file")]
    return [_freshness(settings, tenants), *_scopes(tenants)]


def _freshness(settings: Settings, tenants: Tenants) -> Finding:
    limit, remembered = settings.max_event_age, settings.dedup_ttl
    if not limit and all(map(_is_sandboxed, (account for tenant in tenants for account in tenant.accounts))):
        return Finding(CheckState.OK, "replays", "messages of any age are handled, which does no harm in a sandbox")
    if not limit:
        text = f"a webhook that is posted again after {remembered} s acts again"
        return Finding(CheckState.WARNING, "replays", f"{text}: in production set PIPELINE_MAX_EVENT_AGE={RETRY_SPAN}")
    if limit < RETRY_SPAN:
        text = f"messages that come after {limit:g} s are not handled, and providers try for {RETRY_SPAN}"
        return Finding(CheckState.WARNING, "replays", f"{text}: set PIPELINE_MAX_EVENT_AGE={RETRY_SPAN}")
    if limit > remembered:
        text = f"a webhook that is posted again between {remembered} and {limit:g} s later acts again"
        return Finding(
            CheckState.WARNING, "replays", f"{text}: set PIPELINE_DEDUP_TTL no lower than PIPELINE_MAX_EVENT_AGE"
        )
    return Finding(CheckState.OK, "replays", f"messages older than {limit:g} s are not handled")


def _is_sandboxed(account: Account) -> bool:
    return account.base_url == os.environ.get("PIPELINE_SANDBOX_URL", "-")


def _scopes(tenants: Tenants) -> Iterator[Finding]:
    unbound = [app.id for app in tenants.cloud_apps if not app.accounts]
    if unbound and len(tenants.cloud_apps) > 1:
        text = f"{', '.join(unbound)}: list its accounts, or its secret is valid for all that no other app lists"
        yield Finding(CheckState.WARNING, "apps", text)


def _lacks_secret(account: Account, tenants: Tenants) -> bool:
    return not (tenants.cloud_apps if account.provider == "cloud" else account.webhook_secrets)


def _weak(tenants: Tenants, known: Collection[str]) -> Iterator[str]:
    """Yield the owners and fields of secrets that could be guessed, except `known` ones.

    Tokens are left out: they authenticate us at the provider, and the provider makes them.
    """
    from pipeline.tenants import Account, CloudApp, Tenant

    fields = {model: sorted(secret_fields(model) - {"token"}) for model in (CloudApp, Tenant, Account)}
    owners: list[tuple[str, CloudApp | Tenant | Account]] = [(f"Cloud app {app.id}", app) for app in tenants.cloud_apps]
    for tenant in tenants:
        owners.append((f"tenant {tenant.id}", tenant))
        owners += [(f"{each.provider} account {each.id}", each) for each in tenant.accounts]
    for owner, model in owners:
        for field in fields[type(model)]:
            if any(_is_weak(value) and value not in known for value in _values(getattr(model, field))):
                yield f"{field} of {owner}"


def _values(secrets: SecretStr | tuple[SecretStr, ...]) -> list[str]:
    several = secrets if isinstance(secrets, tuple) else (secrets,)
    return [each.get_secret_value() for each in several]


def _is_weak(secret: str) -> bool:
    return len(secret) < MIN_SECRET_LENGTH or len(set(secret)) < MIN_DISTINCT_CHARACTERS


def secret_fields(model: type) -> frozenset[str]:
    """Return the fields of a model of the tenants file that contain one or more secrets."""
    from pydantic import SecretStr

    return frozenset(name for name, hint in get_type_hints(model).items() if SecretStr in {hint, *get_args(hint)})


def _literals(path: Path) -> list[str]:
    """Return the secrets that the tenants file contains literally."""
    from pipeline.tenants import Account, CloudApp, Tenant
    from pipeline.yaml_reader import read_yaml

    secrets = secret_fields(CloudApp) | secret_fields(Account) | secret_fields(Tenant)
    with path.open(encoding="utf-8") as file:
        return list(_literals_in(read_yaml(file), "", secrets))


def _literals_in(node: Any, key: str, secrets: Collection[str]) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _literals_in(value, str(name), secrets)
    elif isinstance(node, list):
        for value in node:
            yield from _literals_in(value, key, secrets)
    elif key in secrets and not str(node).startswith(("env:", "file:")):
        yield str(node)


async def check_kafka(settings: Settings, tenants: Tenants | None) -> list[Finding]:
    """Check that the brokers answer, that there are enough for the replicas, and that the topics are right."""
    from pipeline.runtime.kafka.admin import count_brokers

    try:
        async with asyncio.timeout(SERVICE_TIMEOUT):
            brokers = _brokers(settings, await count_brokers(settings.kafka))
            return [brokers, await _topics(settings, tenants)]
    except PipelineError as error:
        return [Finding(CheckState.WRONG, "kafka", str(error)), Finding(CheckState.SKIPPED, "topics", "Kafka is away")]
    except TimeoutError:
        text = f"{settings.kafka} did not answer in {SERVICE_TIMEOUT:g} s: look at the broker's log"
        return [Finding(CheckState.WRONG, "kafka", text), Finding(CheckState.SKIPPED, "topics", "Kafka is too slow")]


def _brokers(settings: Settings, count: int) -> Finding:
    if count < settings.replication:
        text = f"{settings.replication} replicas wanted of {_count(count, 'broker')}: set PIPELINE_REPLICATION to fit"
        return Finding(CheckState.WRONG, "kafka", text)
    return Finding(CheckState.OK, "kafka", f"{settings.kafka} answers, {_count(count, 'broker')}")


async def _topics(settings: Settings, tenants: Tenants | None) -> Finding:
    from pipeline.cli.topics import differing, installed

    if tenants is None:
        return Finding(CheckState.SKIPPED, "topics", "they follow from the tenants file")
    try:
        topics = installed(settings, tenants)
    except ConfigurationError:
        return Finding(CheckState.SKIPPED, "topics", "some follow from the agents")
    differences = await differing(settings, topics)
    if not differences:
        return Finding(CheckState.OK, "topics", f"all {len(topics)} as the catalogue says")
    more = f" and {len(differences) - 1} more" if differences[1:] else ""
    missing = any(each.what == "topic" for each in differences)
    verb = "create` makes what is missing" if missing else "check` shows all"
    return Finding(CheckState.WRONG, "topics", f"{differences[0]}{more}: `pipeline topics {verb}")


async def check_redis(settings: Settings) -> list[Finding]:
    """Check that Redis answers and is durable, and that its clock agrees, if the caches use Redis."""
    if settings.cache != "redis":
        return _without_redis(CheckState.SKIPPED, f"not used: PIPELINE_CACHE is {settings.cache}")
    return await _ask_redis(settings)


async def _ask_redis(settings: Settings) -> list[Finding]:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError

    where = _without_password(settings.redis)
    try:
        async with (
            asyncio.timeout(SERVICE_TIMEOUT),
            Redis.from_url(settings.redis, retry=Retry(NoBackoff(), 0)) as client,
        ):
            return [await _keeps(client, where), *await _replicas(client, settings.redis_replicas), await _skew(client)]
    except ValueError as error:
        found = f"PIPELINE_REDIS is not a Redis URL ({error}): write it as redis://host:port/0"
    except (RedisError, OSError, TimeoutError) as error:
        found = f"can't use Redis at {where} ({_reason(error)}): start it or set PIPELINE_REDIS"
    return _without_redis(CheckState.WRONG, found)


def _without_redis(state: CheckState, text: str) -> list[Finding]:
    return [Finding(state, "redis", text), Finding(CheckState.SKIPPED, "clock", "needs Redis to compare with")]


def _reason(error: Exception) -> str:
    """Return the kind of an error only: the text of a server may quote a password."""
    names = {
        "ConnectionError": "no connection",
        "TimeoutError": "no answer in time",
        "AuthenticationError": "wrong password",
    }
    return names.get(type(error).__name__, type(error).__name__)


def _without_password(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or url.partition("?")[0]


async def _keeps(client: Redis, where: str) -> Finding:
    info = await client.info()
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        text = f"{where} evicts keys when memory is short ({policy}): set maxmemory-policy to noeviction"
        return Finding(CheckState.WARNING, "redis", text)
    if not info.get("aof_enabled") and not await _snapshots(client):
        text = f"{where} keeps nothing over a restart: turn on appendonly"
        return Finding(CheckState.WARNING, "redis", text)
    lost = "" if await _syncs_always(client) else "; if it dies, up to the last second of writes is lost (appendfsync)"
    return Finding(CheckState.OK, "redis", f"{where} answers, version {info.get('redis_version', 'unknown')}{lost}")


async def _syncs_always(client: Redis) -> bool:
    """Return True if every write is on disk before it is answered, or if Redis hides its configuration."""
    from redis.exceptions import ResponseError

    try:
        return str((await client.config_get("appendfsync")).get("appendfsync", "always")) == "always"
    except ResponseError:
        return True


async def _replicas(client: Redis, required: int) -> list[Finding]:
    """Warn of rows that a failover would lose, because no replica had them when the write was answered."""
    info = await client.info("replication")
    connected = int(info.get("connected_slaves", 0))
    if info.get("role") == "slave":
        text = "PIPELINE_REDIS is a replica, which takes no writes: name the master, or what follows it"
        return [Finding(CheckState.WRONG, "replicas", text)]
    if required > connected:
        text = f"{_count(required, 'replica')} must have each write and {connected} are connected: handlers would wait"
        return [Finding(CheckState.WRONG, "replicas", f"{text}: add some, or lower PIPELINE_REDIS_REPLICAS")]
    if connected and not required:
        text = f"{_count(connected, 'replica')}, and a failover to one loses what it lacks: set PIPELINE_REDIS_REPLICAS"
        return [Finding(CheckState.WARNING, "replicas", text)]
    return [Finding(CheckState.OK, "replicas", f"{required} of {connected} have each write")] if required else []


async def _snapshots(client: Redis) -> bool:
    """Return True if Redis writes snapshots, or hides its configuration, as managed services often do."""
    from redis.exceptions import ResponseError

    try:
        return bool((await client.config_get("save")).get("save"))
    except ResponseError:
        return True


async def _skew(client: Redis) -> Finding:
    """Compare the clock of Redis with ours at the middle of the call."""
    before = time.time()
    seconds, micros = await client.time()
    skew = seconds + micros / 1e6 - (before + time.time()) / 2
    if abs(skew) > MAX_SKEW:
        text = f"this machine and Redis are {abs(skew):.1f} s apart: run NTP on both"
        return Finding(CheckState.WARNING, "clock", text)
    return Finding(CheckState.OK, "clock", f"within {max(abs(skew), 0.001):.3f} s of Redis")


def check_data_dir(settings: Settings) -> Finding:
    """Check that the data directory can be written, is private and has room."""
    path = settings.data_dir.absolute()
    parent = next(each for each in (path, *path.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            free = shutil.disk_usage(parent).free
    except OSError as error:
        text = f"can't write in {parent} ({error.strerror}): set PIPELINE_DATA_DIR"
        return Finding(CheckState.WRONG, "data", text)
    if parent == path and is_open_to_others(path):
        text = f"every user of this machine can read {path}, and messages lie in it: chmod 700 {path}"
        return Finding(CheckState.WARNING, "data", text)
    if free < MIN_FREE_BYTES:
        return Finding(CheckState.WARNING, "data", f"{path} has {free // 1024**2} MiB left: make room")
    return Finding(CheckState.OK, "data", f"{path}, {free // 1024**3} GiB free")


def check_handlers(settings: Settings, tenants: Tenants | None) -> list[Finding]:
    """Check that a worker can import every handler of the settings and the tenants, and every agent beside them."""
    from pipeline.cli._handler_check import find_problems, handler_names

    handlers = handler_names(settings, tenants)
    found = find_problems(handlers, tenants.agents.values() if tenants else ())
    return [
        Finding(
            CheckState.WRONG if problem else CheckState.OK, "handler" if name in handlers else "agent", problem or name
        )
        for name, problem in found.items()
    ]


def check_port(settings: Settings) -> Finding:
    """Check that the ingress runs, or that its port is free."""
    from pipeline.local.probe import http_ready, port_free

    host, port = settings.ingress_host, settings.ingress_port
    if port_free(host, port):
        return Finding(CheckState.OK, "ingress", f"port {port} is free for it")
    if http_ready("127.0.0.1" if host in {"0.0.0.0", "::"} else host, port, "/healthz"):  # noqa: S104 - compared only
        return Finding(CheckState.OK, "ingress", f"runs on port {port}")
    text = f"something else has port {port} of {host}: stop it or set PIPELINE_INGRESS_PORT"
    return Finding(CheckState.WRONG, "ingress", text)
