"""Settings: everything that can be set from outside, by `PIPELINE_…` variables or a file `.env`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.errors import ConfigurationError

Port = Annotated[int, Field(ge=0, le=65535)]


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_comma_separated)]
"""Addresses and networks, comma separated."""


Key = Annotated[Annotated[SecretStr, Field(min_length=16)] | None, BeforeValidator(lambda value: value or None)]
"""Characters that nobody can guess; empty is none."""


class Settings(BaseSettings):
    """What a process needs to know. Defaults suit `pipeline up`'s ports; production sets the rest."""

    model_config = SettingsConfigDict(env_prefix="PIPELINE_", env_file=".env", extra="ignore", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="bootstrap servers, comma separated")
    redis: str = Field("redis://127.0.0.1:6379/0", description="Redis URL")
    tenants: Path | None = Field(None, description="the tenants file; `pipeline up` alone falls back on the sample")
    data_dir: Path = Field(Path(".pipeline"), description="where tables, JSON caches and the embedded stack keep files")
    partitions: int = Field(48, ge=1, description="partitions of every keyed topic; can't be changed afterwards")
    replication: int = Field(3, ge=1, description="replicas of every topic")
    handler: str = Field("pipeline.agents.handlers.echo.EchoHandler", description="dotted path of the default handler")
    cache: Literal["memory", "json", "redis"] = Field("redis", description="backend of the handlers' caches")

    media_dir: Path = Field(Path("media"), description="files below it may be sent by a path that is a string")
    media_networks: Networks = Field((), description="private networks that media may be fetched from")

    ingress_host: str = Field("127.0.0.1", description="address that the ingress listens on")
    ingress_port: Port = Field(8080, description="port of the ingress")
    ingress_deadline: float = Field(4.0, gt=0, description="seconds until a webhook is answered 503")
    ingress_admin_port: Port = Field(0, description="health and metrics of the ingress alone; 0 picks a free port")
    ingress_connections: int = Field(1000, ge=1, description="connections at once; the longest idle one gives way")
    ingress_connections_per_client: int = Field(250, ge=1, description="of those, from one client address")
    ingress_keepalive: float = Field(75.0, gt=0, description="seconds that an idle connection is kept")
    body_limit: int = Field(3 * 1024 * 1024, description="bytes of a webhook; larger ones are answered 413")
    trusted_proxies: Networks = Field((), description="proxies whose X-Forwarded-For is believed, comma separated")
    sandbox_host: str = Field("127.0.0.1", description="address that the sandbox listens on")
    sandbox_port: Port = Field(8090, description="port of the sandbox")
    worker_host: str = Field("127.0.0.1", description="address that a worker's health and metrics listen on")
    worker_port: Port = Field(0, description="health and metrics of a worker; 0 picks a free port")

    dedup_ttl: int = Field(7 * 86400, gt=0, description="seconds that an event's id is remembered")
    max_event_age: float = Field(
        0, ge=0, description="seconds after which a message is too old to be handled, as it arrives; 0: never"
    )
    outcome_ttl: int = Field(7 * 86400, gt=0, description="seconds that a command's outcome is remembered")
    handler_concurrency: int = Field(100, ge=1, description="conversations handled at once by one worker")
    handler_timeout: float = Field(30.0, gt=0, description="seconds that one event may take in a handler")
    reconcile_window: float = Field(60.0, ge=0, description="seconds to wait for a status of a send in doubt")
    upgrade_wait: float = Field(600.0, ge=0, description="seconds that a newer version's record waits to be understood")
    resends: int = Field(3, ge=0, description="times that a send in doubt is sent again; 0: never, for no tenant")
    send_concurrency: int = Field(100, ge=1, description="calls to providers in flight at once in one worker")

    failure_run: int = Field(100, ge=0, description="records failing in a row that stop a flow from taking in; 0: none")
    failure_ratio: float = Field(0.5, ge=0, le=1, description="share of failing records that does the same; 0: none")

    on_gap: Literal["continue", "stop"] = Field(
        "continue", description="what a flow does where records were removed before it processed them"
    )
    redis_replicas: int = Field(
        0, ge=0, description="replicas of Redis that must have what an event wrote before its offset goes; 0: none"
    )

    instance_id: str | None = Field(None, description="static group member id, e.g. the pod's name")
    stuck_after: float = Field(120.0, gt=0, description="seconds without progress after which /healthz fails")
    blocked_after: float = Field(60.0, ge=0, description="seconds of a blocked event loop that end a worker; 0: none")
    progress_file: Path | None = Field(None, description="touched as records get on, for who counts a worker's deaths")
    commit_interval: float = Field(0.5, gt=0, description="seconds between two commits of offsets")
    session_timeout: int = Field(25, ge=6, le=90, description="seconds until the group gives a silent worker up")
    mask_key: Key = Field(None, description="key of the masks of ids in logs, of 16 characters or more")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severity that is logged")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json")


def load_settings(**overrides: object) -> Settings:
    """The settings of this process. Raises `ConfigurationError` with one line for the first thing that is wrong."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = f"PIPELINE_{first['loc'][0]}".upper()
        raise ConfigurationError(
            f"{name} is wrong ({first['msg'].lower()}): correct it in the environment or .env"
        ) from None
