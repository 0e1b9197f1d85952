"""Settings from `PIPELINE_…` variables or a file `.env`.

Each class below is a group. `.env.example` and `docs/configuration.md` are generated from them: `make reference`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.errors import ConfigurationError

PREFIX: Final = "PIPELINE_"
"""Prefix of the environment variables."""


class Unit(NamedTuple):
    """The unit of a number, for people."""

    name: str


Seconds = Annotated[float, Unit("seconds")]
WholeSeconds = Annotated[int, Unit("seconds")]
Bytes = Annotated[int, Unit("bytes")]
PerSecond = Annotated[float, Unit("sends per second"), Field(gt=0, allow_inf_nan=False)]
Burst = Annotated[float, Unit("sends"), Field(ge=1, allow_inf_nan=False)]
Share = Annotated[float, Unit("share of 1")]
Port = Annotated[int, Field(ge=0, le=65535)]


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_comma_separated)]
"""Addresses and networks, separated by commas."""


Addresses = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)]
"""Addresses of servers, separated by commas."""


def _pairs(value: object) -> object:
    """Turn `name=value, name=value` into a dict; a name without a value gets an empty one, which is no number."""
    if not isinstance(value, str):
        return value
    parts = [part.partition("=") for part in value.split(",") if part.strip()]
    return {name.strip(): number.strip() for name, _, number in parts}


Lifetimes = Annotated[Mapping[str, float] | None, NoDecode, BeforeValidator(_pairs)]
"""Seconds by name, as `name=seconds` separated by commas. The names are checked where commands are known."""


Key = Annotated[Annotated[SecretStr, Field(min_length=16)] | None, BeforeValidator(lambda value: value or None)]
"""A secret that can't be guessed; empty is none."""


class ConnectionSettings(BaseModel):
    """Connections and data"""

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap servers, comma separated.")
    redis: str = Field("redis://127.0.0.1:6379/0", description="URL of Redis.")
    tenants: Path | None = Field(
        None,
        examples=["examples/tenants.yaml"],
        description="Path of your tenants file. Only `pipeline up` has a default, `examples/tenants.yaml`, whose "
        "secrets are public.",
    )
    data_dir: Path = Field(
        Path(".pipeline"), description="Folder of the workers' tables, JSON caches and the data of `pipeline up`."
    )


class TopicSettings(BaseModel):
    """Topics"""

    partitions: int = Field(
        48,
        ge=1,
        description="Partitions of every keyed topic. `pipeline topics create` records the number, and it can't be "
        "changed afterwards. `pipeline up` uses 8.",
    )
    replication: int = Field(3, ge=1, description="Replicas of every topic. `pipeline up` uses 1.")


class IngressSettings(BaseModel):
    """Ingress"""

    ingress_host: str = Field("127.0.0.1", description="Address that the ingress listens on.")
    ingress_port: Port = Field(8080, description="Port of the ingress.")
    ingress_admin_port: Port = Field(
        0, description="Port of health and metrics alone, so that a flood of webhooks can't block them; 0: a free port."
    )
    ingress_connections: int = Field(
        1000, ge=1, description="Maximum of open connections. At the limit the longest idle one is closed."
    )
    ingress_connections_per_client: int = Field(
        250, ge=1, description="Maximum of open connections from one client address. Trusted proxies are exempt."
    )
    ingress_keepalive: Seconds = Field(
        75.0, gt=0, description="Time that an idle connection is kept. Set it above your load balancer's own."
    )
    ingress_deadline: Seconds = Field(4.0, gt=0, description="Time after which a webhook is answered 503.")
    body_limit: Bytes = Field(3 * 1024 * 1024, description="Maximum size of a webhook. Larger ones are answered 413.")
    trusted_proxies: Networks = Field(
        (), description="Proxies whose `X-Forwarded-For` is believed, addresses or networks, comma separated."
    )


class SendAPISettings(BaseModel):
    """HTTP API"""

    api_rate: PerSecond = Field(
        400.0,
        description="Quota of a tenant over the HTTP API, of any priority, in one ingress process. Above it the answer "
        "is 429. A tenant's `send_limits` win over this and the next four.",
    )
    api_burst: Burst = Field(4000.0, description="Sends of a tenant, of any priority, at once after a quiet time.")
    api_interactive_rate: PerSecond = Field(
        100.0, description="Quota of a tenant's interactive sends, inside that of all. A campaign has to be `bulk`."
    )
    api_interactive_burst: Burst = Field(
        1000.0, description="Interactive sends of a tenant at once after a quiet time."
    )
    api_key_share: Share = Field(
        0.5, gt=0, le=1, description="Share of its tenant's quotas that one API key may use; 1: all."
    )

    upload_deadline: Seconds = Field(
        60.0, gt=0, description="Time after which a send with a file is answered 503, from its head to its response."
    )

    @field_validator("api_interactive_rate", "api_interactive_burst")
    @classmethod
    def _is_reachable(cls, value: float, info: ValidationInfo) -> float:
        name = str(info.field_name)
        of_all = info.data.get(name.replace("interactive_", ""), value)
        if value > of_all and value != cls.model_fields[name].default:
            raise ValueError("it is above that of all sends, so it could never be used: lower it, or raise that")
        return value


class HandlerSettings(BaseModel):
    """Handlers"""

    handler: str = Field(
        "pipeline.agents.handlers.echo.EchoHandler",
        description="Dotted path of the handler of tenants that name none.",
    )
    handler_concurrency: int = Field(100, ge=1, description="Conversations handled at once by one worker.")
    handler_timeout: Seconds = Field(30.0, gt=0, description="Maximum time of a handler for one event.")
    max_event_age: Seconds = Field(
        0,
        ge=0,
        description="Age on arrival at which a message is not handled any more; 0: never. Set it to "
        "`PIPELINE_DEDUP_TTL` in production: nobody can then replay a captured webhook whose id is forgotten.",
    )
    cache: Literal["memory", "json", "redis"] = Field(
        "redis",
        description="Store of the caches: `redis`, `json` (files below `PIPELINE_DATA_DIR`, for one machine) or "
        "`memory` (lost with its worker).",
    )
    redis_replicas: int = Field(
        0,
        ge=0,
        description="Replicas of Redis that must have an event's writes before its offset is committed. A failover "
        "then loses none of them.",
    )


class MediaSettings(BaseModel):
    """Media"""

    media_dir: Path = Field(
        Path("media"), description="Folder of the files that a handler may send by a path that is a string."
    )
    media_networks: Networks = Field(
        (), description="Private networks that `upload_media_from_url` may fetch from, comma separated."
    )


class SendSettings(BaseModel):
    """Sends"""

    send_concurrency: int = Field(
        400,
        ge=1,
        description="Calls to providers at once in one worker. A host below `PIPELINE_SEND_CONCURRENCY_PER_HOST` may "
        "begin calls up to twice this number, so that a host that hangs takes nothing from the others.",
    )
    send_concurrency_per_host: int = Field(
        50,
        ge=1,
        description="Calls at once to one host while none of them is answered. A host that answers is bounded by "
        "`PIPELINE_SEND_CONCURRENCY` alone.",
    )
    send_concurrency_per_account: int = Field(
        20,
        ge=1,
        description="Calls at once for one account while none of them is answered. So many of its sends are in doubt "
        "when its gateway begins to hang.",
    )
    reconcile_window: Seconds = Field(
        60.0,
        ge=0,
        description="Time in which a send in doubt waits for its status webhook. It doubles with each resend.",
    )
    resends: int = Field(
        3,
        ge=0,
        description="Maximum of resends of a send in doubt, for tenants with `in_doubt: resend`; 0: never, for any.",
    )
    lifetimes: Lifetimes = Field(
        None,
        examples=["typing=60,read=600,template=259200,bulk=259200,interactive=86400"],
        description="Seconds in which a command may be sent, by kind, or by priority for all kinds that are not named; "
        "then its outcome is `expired`. What you leave out keeps its default, which the example shows. A tenant's own "
        "`lifetimes` win.",
    )


class RetentionSettings(BaseModel):
    """Retention"""

    dedup_ttl: WholeSeconds = Field(
        7 * 86400, gt=0, description="Time that an event's id is remembered. The platforms retry for seven days."
    )
    outcome_ttl: WholeSeconds = Field(7 * 86400, gt=0, description="Time that a command's outcome is remembered.")


class FailureSettings(BaseModel):
    """Failures"""

    failure_run: int = Field(100, ge=0, description="Failures in a row that open a flow's breaker; 0: off.")
    failure_ratio: Share = Field(
        0.5, ge=0, le=1, description="Share of failures among the last records that opens the breaker; 0: off."
    )
    on_gap: Literal["continue", "stop"] = Field(
        "continue",
        description="Reaction to records that Kafka removed before they were processed: `continue` behind a dead "
        "letter, or `stop` and wait for you.",
    )
    upgrade_wait: Seconds = Field(
        600.0,
        ge=0,
        description="Time that a record of a newer version waits for a worker that can read it. Then it is a dead "
        "letter.",
    )


class WorkerSettings(BaseModel):
    """Workers"""

    worker_host: str = Field("127.0.0.1", description="Address of a worker's `/healthz`, `/readyz` and `/metrics`.")
    worker_port: Port = Field(0, description="Port of a worker's health and metrics; 0: a free port.")
    instance_id: str | None = Field(
        None,
        examples=["intake-0"],
        description="Name of a worker, the same after a restart, such as the pod's name. The worker gets its "
        "partitions back without a rebalance. Of two live workers with one name, the older one ends.",
    )
    session_timeout: WholeSeconds = Field(
        25, ge=6, le=90, description="Time after which the group gives up a silent worker."
    )
    stuck_after: Seconds = Field(120.0, gt=0, description="Time without progress after which `/healthz` fails.")
    blocked_after: Seconds = Field(
        60.0, ge=0, description="Time of a blocked event loop after which the watchdog ends a worker; 0: never."
    )
    workers: Addresses = Field(
        (),
        description="Addresses of the workers' health servers, `http://host:port`, comma separated. `pipeline lag` "
        "asks them for what they hold. A name with several addresses stands for all of them. `pipeline up` sets it.",
    )
    lag_warning: Seconds = Field(
        60.0,
        gt=0,
        description="Age of the oldest record that could be worked on now, above which `pipeline doctor` warns.",
    )
    progress_file: Path | None = Field(
        None,
        examples=["/run/pipeline/progress"],
        description="File that a worker touches when its records progress. `pipeline up` sets it for its own.",
    )
    parking_max_bytes: Bytes = Field(
        16 * 1024**3,
        gt=0,
        description="Maximum size of the parked records of one topic in a worker. The disk needs up to twice as much. "
        "At the maximum, records wait in front of others again.",
    )
    commit_interval: Seconds = Field(
        0.5,
        gt=0,
        description="Time between two commits of offsets. Records finished since the last one are delivered again "
        "after a crash.",
    )


class SandboxSettings(BaseModel):
    """Sandbox"""

    sandbox_host: str = Field("127.0.0.1", description="Address that the sandbox listens on.")
    sandbox_port: Port = Field(8090, description="Port of the sandbox.")


class LogSettings(BaseModel):
    """Logs"""

    mask_key: Key = Field(
        None,
        description="Key of the masks of phone numbers in logs, spans and commands, at least 16 characters. Give all "
        "processes one key, so that an id has one mask everywhere. Without it each data folder has its own.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest logged severity.")
    failures_file: Path | None = Field(
        None,
        examples=["/run/pipeline/failures"],
        description="File to which a worker also writes its failures, as JSON. The messages of exceptions are then in "
        "its log, and may quote users. `pipeline up` sets it for its own.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Format of log lines; `auto` is `console` on a terminal and `json` elsewhere."
    )


class Settings(
    ConnectionSettings,
    TopicSettings,
    IngressSettings,
    SendAPISettings,
    HandlerSettings,
    MediaSettings,
    SendSettings,
    RetentionSettings,
    FailureSettings,
    WorkerSettings,
    SandboxSettings,
    LogSettings,
    BaseSettings,
):
    """All settings of a process. The defaults suit the ports of `pipeline up`; production sets the rest."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)


def is_service_link(value: object) -> bool:
    """Return True for a value as Kubernetes sets it in the variables of a service: `tcp://10.0.0.1:80`."""
    return isinstance(value, str) and value.startswith(("tcp://", "udp://", "sctp://"))


def load_settings(**overrides: object) -> Settings:
    """Return the settings of this process. Raises `ConfigurationError` with one line for the first wrong one."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{first['loc'][0]}".upper()
        if is_service_link(first["input"]):
            service = name.removesuffix("_PORT").lower().replace("_", "-")
            raise ConfigurationError(
                f"{name} is {first['input']}, as Kubernetes sets it for a service named {service}: set "
                "enableServiceLinks: false in the pod, or rename the service"
            ) from None
        raise ConfigurationError(
            f"{name} is wrong ({first['msg'].lower()}): correct it in the environment or .env"
        ) from None
