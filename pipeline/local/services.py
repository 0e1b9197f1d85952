"""The services of a stack, for `pipeline up` and docker-compose.yml."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from pipeline.local.kafka import Kafka
from pipeline.local.ports import Ports
from pipeline.local.probe import http_ready
from pipeline.local.process import Server
from pipeline.local.redis import RedisServer

LOOPBACK: Final = "127.0.0.1"
COMMAND: Final = (sys.executable, "-P", "-m", "pipeline.cli")
"""Our command line. `-P` keeps the working directory from the front of `sys.path` (`pipeline.cli` appends it)."""
INSTANCE_ID: Final = "1"
"""Instance id of each worker on this machine; its group's name comes before it."""
PARTITIONS: Final = "8"
"""Default partition count of keyed topics for a stack on one machine."""


@dataclass(frozen=True)
class Verb:
    """A service that is one of our own commands.

    Attributes:
        arguments: its command line after `pipeline`.
        purpose: one line for the report.
        after: the services that must be ready before it starts.
        once: it does its work and ends; ready means that it ended well.
        tables: it keeps tables on disk.
        your_code: it imports handlers, so that `pipeline up --reload` replaces its process when they change.
    """

    name: str
    arguments: tuple[str, ...]
    purpose: str
    after: tuple[str, ...] = ()
    once: bool = False
    tables: bool = False
    your_code: bool = False


VERBS: Final = (
    Verb("topics", ("topics", "create"), "creates the topics of the catalogue", ("kafka",), once=True),
    Verb("sandbox", ("sandbox",), "stands in for the providers"),
    Verb("messenger", ("worker", "messenger"), "send", ("topics", "sandbox"), tables=True),
    Verb("handlers", ("worker", "handlers"), "handle", ("topics", "redis"), your_code=True),
    Verb("intake", ("worker", "intake"), "parse ▸ deduplicate ▸ route", ("topics",), tables=True),
    Verb("ingress", ("ingress",), "takes webhooks", ("topics",)),
)
"""Commands in order of starting, after Kafka and Redis; they are stopped in reverse order."""
AGENTS: Final = Verb(
    "agents", ("worker", "agent"), "agents beside the handlers", ("topics", "redis"), tables=True, your_code=True
)
"""Runs the agents of the tenants file, all in one process. It is started if there are any."""


def verbs(agents: bool) -> tuple[Verb, ...]:
    """Return the commands in order of starting, with or without the agents beside the handlers."""
    return (*VERBS[:-1], AGENTS, VERBS[-1]) if agents else VERBS


def environment(
    ports: Ports, host: Callable[[str], str], partitions: str | None, *, agents: bool = False
) -> dict[str, str]:
    """Return the variables that all our processes share; `host` returns the host name of a service."""
    return {
        "PIPELINE_KAFKA": f"{host('kafka')}:{ports.kafka}",
        "PIPELINE_REDIS": f"redis://{host('redis')}:{ports.redis}/0",
        "PIPELINE_INGRESS_PORT": str(ports.ingress),
        "PIPELINE_SANDBOX_PORT": str(ports.sandbox),
        "PIPELINE_SANDBOX_URL": f"http://{host('sandbox')}:{ports.sandbox}",
        "PIPELINE_PARTITIONS": partitions or PARTITIONS,
        "PIPELINE_REPLICATION": "1",
        "PIPELINE_SESSION_TIMEOUT": "10",
        "PIPELINE_WORKERS": ",".join(f"http://{host(verb.name)}:{port_of(verb, ports)}" for verb in _workers(agents)),
    }


def _workers(agents: bool) -> list[Verb]:
    return [verb for verb in verbs(agents) if verb.arguments[0] == "worker"]


def own_environment(verb: Verb, ports: Ports) -> dict[str, str]:
    """Return the variables of one service: its address, and a worker's identity, which gets it its partitions back."""
    if verb.name == "ingress":
        return {"PIPELINE_INGRESS_ADMIN_PORT": str(ports.admin)}
    if verb.arguments[0] != "worker":
        return {}
    return {"PIPELINE_WORKER_PORT": str(port_of(verb, ports)), "PIPELINE_INSTANCE_ID": INSTANCE_ID}


def port_of(verb: Verb, ports: Ports) -> int:
    return int(getattr(ports, verb.name))


def probe_port_of(verb: Verb, ports: Ports) -> int:
    """Return the port of its health check. The ingress has a port of its own, which a flood of webhooks can't fill."""
    return ports.admin if verb.name == "ingress" else port_of(verb, ports)


def _nothing() -> None:
    """Do nothing, for services without preparation."""


@dataclass(frozen=True)
class Service:
    """One process of the embedded stack.

    Attributes:
        where: its address for the report; empty for one that ends.
        after: the services that must be ready before it starts.
        ready: returns True if it serves; None for one that ends: it is ready once it ended with status 0.
        alive: returns True if it is healthy though not ready, as one that waits for an operator; None: unknown.
        ports: ports that it listens on.
        prepare: called before each start.
        store: it stores data that the others need until they have stopped.
        progress: a file that it touches as its work progresses, or None.
        your_code: it imports handlers.
        failures: a file that it writes its failures to, or None.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    where: str = ""
    after: tuple[str, ...] = ()
    ready: Callable[[], bool] | None = None
    alive: Callable[[], bool] | None = None
    ports: Sequence[int] = ()
    prepare: Callable[[], None] = field(default=_nothing)
    store: bool = False
    progress: Path | None = None
    your_code: bool = False
    failures: Path | None = None


def services(ports: Ports, data_dir: Path, environ: Mapping[str, str], *, agents: bool = False) -> list[Service]:
    """Return the stack on this machine, in the order of starting. Raise `UsageError` if a part is not installed.

    `agents` says whether the tenants file has agents beside the handlers, which get a worker.
    """
    logs = data_dir / "logs"
    kafka = Kafka(data_dir / "kafka", ports.kafka, ports.controller, logs / "kafka.log")
    redis = RedisServer(data_dir / "redis", ports.redis, logs / "redis.log")
    shared = _environment(ports, data_dir, environ, agents)
    return [
        _store(kafka, kafka.bootstrap, environ),
        _store(redis, redis.url, environ),
        *(_command(verb, ports, shared, data_dir) for verb in verbs(agents)),
    ]


def _store(server: Server, where: str, environ: Mapping[str, str]) -> Service:
    return Service(
        server.name,
        server.argv,
        environ,
        where,
        ready=server.is_ready,
        ports=server.ports,
        prepare=server.prepare,
        store=True,
    )


def _command(verb: Verb, ports: Ports, env: Mapping[str, str], data_dir: Path) -> Service:
    argv = [*COMMAND, *verb.arguments]
    if verb.once:
        return Service(verb.name, argv, env, after=verb.after)
    port, probe = port_of(verb, ports), probe_port_of(verb, ports)
    is_worker = verb.arguments[0] == "worker"
    progress = data_dir / f"{verb.name}.progress" if is_worker else None
    failures = data_dir / "logs" / f"{verb.name}-failures.log" if is_worker else None
    told = {"PIPELINE_PROGRESS_FILE": str(progress), "PIPELINE_FAILURES_FILE": str(failures)} if is_worker else {}
    return Service(
        verb.name,
        argv,
        {**env, **own_environment(verb, ports), **told},
        f"http://{LOOPBACK}:{port}",
        verb.after,
        partial(http_ready, LOOPBACK, probe),
        partial(http_ready, LOOPBACK, probe, "/healthz"),
        (port,),
        progress=progress,
        your_code=verb.your_code,
        failures=failures,
    )


def _environment(ports: Ports, data_dir: Path, environ: Mapping[str, str], agents: bool) -> dict[str, str]:
    """Return `environ` with the stack's own variables. Logs are in the console format unless `environ` sets another."""
    decided = environment(ports, lambda _: LOOPBACK, environ.get("PIPELINE_PARTITIONS"), agents=agents)
    here = {"PIPELINE_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
    return {"PIPELINE_LOG_FORMAT": "console", **environ, **decided, **here}
