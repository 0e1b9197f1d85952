"""What runs: the one source of `pipeline up` and of docker-compose.yml."""

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
"""Our own command line. `-P`: the working directory does not come before what is installed (`pipeline.cli` adds it)."""
PARTITIONS: Final = "8"
"""Of every keyed topic of a stack on one machine, unless PIPELINE_PARTITIONS says otherwise."""


@dataclass(frozen=True)
class Verb:
    """A service that is one of our own commands, wherever it runs.

    Attributes:
        arguments: what follows `pipeline` on its command line.
        purpose: one line for people.
        after: the services that must be ready before it starts.
        once: it does its work and ends; ready means that it ended well.
        tables: it keeps tables on disk.
    """

    name: str
    arguments: tuple[str, ...]
    purpose: str
    after: tuple[str, ...] = ()
    once: bool = False
    tables: bool = False


VERBS: Final = (
    Verb("topics", ("topics", "create"), "creates the topics of the catalogue", ("kafka",), once=True),
    Verb("sandbox", ("sandbox",), "stands in for the providers"),
    Verb("messenger", ("worker", "messenger"), "send", ("topics", "sandbox"), tables=True),
    Verb("handlers", ("worker", "handlers"), "handle", ("topics", "redis")),
    Verb("intake", ("worker", "intake"), "parse ▸ deduplicate ▸ route", ("topics",), tables=True),
    Verb("ingress", ("ingress",), "takes webhooks", ("topics",)),
)
"""In the order of starting, after Kafka and Redis; stopped the other way round."""


def environment(ports: Ports, host: Callable[[str], str], partitions: str | None) -> dict[str, str]:
    """The variables that all our processes share; `host` gives the name under which a service is reached."""
    return {
        "PIPELINE_KAFKA": f"{host('kafka')}:{ports.kafka}",
        "PIPELINE_REDIS": f"redis://{host('redis')}:{ports.redis}/0",
        "PIPELINE_INGRESS_PORT": str(ports.ingress),
        "PIPELINE_SANDBOX_PORT": str(ports.sandbox),
        "PIPELINE_SANDBOX_URL": f"http://{host('sandbox')}:{ports.sandbox}",
        "PIPELINE_PARTITIONS": partitions or PARTITIONS,
        "PIPELINE_REPLICATION": "1",
        "PIPELINE_SESSION_TIMEOUT": "10",
    }


def own_environment(verb: Verb, ports: Ports) -> dict[str, str]:
    """The variables of one service: where it answers and, of a worker, who it is: it gets its partitions back."""
    if verb.name == "ingress":
        return {"PIPELINE_INGRESS_ADMIN_PORT": str(ports.admin)}
    if verb.arguments[0] != "worker":
        return {}
    return {"PIPELINE_WORKER_PORT": str(port_of(verb, ports)), "PIPELINE_INSTANCE_ID": "1"}


def port_of(verb: Verb, ports: Ports) -> int:
    return int(getattr(ports, verb.name))


def probe_port_of(verb: Verb, ports: Ports) -> int:
    """Where its health is asked: the ingress has a port for it that no flood of webhooks fills."""
    return ports.admin if verb.name == "ingress" else port_of(verb, ports)


def _nothing() -> None:
    """For services that need no preparation."""


@dataclass(frozen=True)
class Service:
    """One process of the embedded stack.

    Attributes:
        where: its address for people; empty for one that ends.
        after: the services that must be ready before it starts.
        ready: whether it serves now; None for one that ends: ready means that it ended with status 0.
        alive: whether it is well while it is not ready, as one that waits for a person; None: nobody can tell.
        ports: those that it opens.
        prepare: what is to be done before each start.
        store: it holds data that the others need until they have stopped.
        progress: a file that it touches as its work gets on; None where it tells nobody.
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


def services(ports: Ports, data_dir: Path, environ: Mapping[str, str]) -> list[Service]:
    """The stack on this machine, in the order of starting. Raises `UsageError` when a part is not installed."""
    logs = data_dir / "logs"
    kafka = Kafka(data_dir / "kafka", ports.kafka, ports.controller, logs / "kafka.log")
    redis = RedisServer(data_dir / "redis", ports.redis, logs / "redis.log")
    shared = _environment(ports, data_dir, environ)
    return [
        _store(kafka, kafka.bootstrap, environ),
        _store(redis, redis.url, environ),
        *(_command(verb, ports, shared, data_dir) for verb in VERBS),
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
    progress = data_dir / f"{verb.name}.progress" if verb.arguments[0] == "worker" else None
    told = {"PIPELINE_PROGRESS_FILE": str(progress)} if progress else {}
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
    )


def _environment(ports: Ports, data_dir: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """All of `environ`, with what the stack decides put over it; its logs are for people unless it says otherwise."""
    decided = environment(ports, lambda _: LOOPBACK, environ.get("PIPELINE_PARTITIONS"))
    here = {"PIPELINE_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
    return {"PIPELINE_LOG_FORMAT": "console", **environ, **decided, **here}
