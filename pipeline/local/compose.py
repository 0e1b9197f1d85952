"""docker-compose.yml, made from the same services as `pipeline up`: `python -m pipeline.local.compose` prints it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import yaml

from pipeline.local import redis
from pipeline.local.jars import KAFKA_VERSION
from pipeline.local.kafka import HEAP, SETTINGS
from pipeline.local.ports import Ports
from pipeline.local.services import (
    LOOPBACK,
    PARTITIONS,
    VERBS,
    Verb,
    environment,
    own_environment,
    port_of,
    probe_port_of,
    verbs,
)

_HEADER: Final = """\
# The stack of `pipeline up` in containers: docker compose up --build
# Made by `python -m pipeline.local.compose`, so that both run the same; a test compares. Don't edit it here.
"""
_PORTS: Final = Ports()
_PARTITIONS: Final = f"${{PIPELINE_PARTITIONS:-{PARTITIONS}}}"
_DATA: Final = "/data"
_KAFKA_DATA: Final = "/var/lib/kafka/data"

Node = dict[str, Any]


class Project(NamedTuple):
    """The purpose of a compose file.

    Attributes:
        name: of the stack and of its image, which is built in the file's folder.
        tenants: path of the tenants file in the image.
        header: comment at the top of the file.
        mounts: files of the host in the containers.
        agents: it has agents beside the handlers.
    """

    name: str
    tenants: str
    header: str
    mounts: tuple[str, ...] = ()
    agents: bool = False


CHECKOUT: Final = Project("whatsapp-pipeline", "/app/examples/tenants.yaml", _HEADER, ("./examples:/app/examples:ro",))


def compose(project: Project = CHECKOUT) -> str:
    """Return the content of a compose file."""
    shared = _shared_environment(project)
    document: Node = {
        "name": project.name,
        "x-environment": shared,
        "services": {
            "kafka": _kafka(),
            "redis": _redis(),
            **{verb.name: _verb(project, verb, shared) for verb in verbs(project.agents)},
        },
        "volumes": dict.fromkeys(("kafka", "redis", *_with_tables(project))),
    }
    return project.header + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def _shared_environment(project: Project) -> dict[str, str]:
    """Return the environment that all containers share; services are reached by their names."""
    everywhere = {f"PIPELINE_{name}_HOST": "0.0.0.0" for name in ("INGRESS", "SANDBOX", "WORKER")}  # noqa: S104
    paths = {"PIPELINE_DATA_DIR": _DATA, "PIPELINE_TENANTS": project.tenants}
    return {**environment(_PORTS, lambda service: service, _PARTITIONS, agents=project.agents), **everywhere, **paths}


def _kafka() -> Node:
    return {
        "image": f"apache/kafka:{KAFKA_VERSION}",
        "environment": _kafka_environment(),
        "volumes": [f"kafka:{_KAFKA_DATA}"],
        "healthcheck": _healthcheck(
            "/opt/kafka/bin/kafka-broker-api-versions.sh", "--bootstrap-server", f"localhost:{_PORTS.kafka}"
        ),
        "restart": "unless-stopped",
    }


def _kafka_environment() -> dict[str, str]:
    """Return the settings as variables of the image. It drops its own defaults once one variable is set."""
    node = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@localhost:{_PORTS.controller}",
        "listeners": f"PLAINTEXT://:{_PORTS.kafka},CONTROLLER://:{_PORTS.controller}",
        "advertised.listeners": f"PLAINTEXT://kafka:{_PORTS.kafka}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": _KAFKA_DATA,
    }
    settings = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in {**node, **SETTINGS}.items()}
    return {"KAFKA_HEAP_OPTS": HEAP, **settings}


def _redis() -> Node:
    return {
        "image": "redis:8.2-alpine",
        "command": ["redis-server", *redis.OPTIONS],
        "volumes": ["redis:/data"],
        "healthcheck": _healthcheck("redis-cli", "ping"),
        "restart": "unless-stopped",
    }


def _verb(project: Project, verb: Verb, shared: Mapping[str, str]) -> Node:
    node: Node = {
        "image": project.name,
        "build": ".",
        "command": list(verb.arguments),
        "environment": _merged(shared, {**own_environment(verb, _PORTS), **_reaching(verb)}),
        "env_file": [{"path": ".env", "required": False}],
        "volumes": [*project.mounts, *([f"{verb.name}:{_DATA}"] if verb.tables else [])],
        "depends_on": {name: {"condition": _condition(name)} for name in verb.after},
    }
    return {name: value for name, value in node.items() if value} | _lifecycle(verb)


def _lifecycle(verb: Verb) -> Node:
    if verb.once:
        return {"restart": "on-failure"}
    port = port_of(verb, _PORTS)
    probe = ("python", "-m", "pipeline.local.probe", f"http://{LOOPBACK}:{probe_port_of(verb, _PORTS)}/readyz")
    return {
        "ports": [f"{LOOPBACK}:{_published(verb, port)}:{port}"],
        "healthcheck": _healthcheck(*probe),
        "stop_grace_period": "10s",
        "restart": "unless-stopped",
    }


def _reaching(verb: Verb) -> dict[str, str]:
    """Return the host of the ingress for the sandbox, which posts webhooks to it."""
    return {"PIPELINE_INGRESS_HOST": "ingress"} if verb.name == "sandbox" else {}


def _published(verb: Verb, port: int) -> str:
    """Return the port on the host, which a variable can change for the services that people use."""
    return f"${{PIPELINE_{verb.name.upper()}_PORT:-{port}}}" if verb.name in ("ingress", "sandbox") else str(port)


def _merged(shared: Mapping[str, str], own: Mapping[str, str]) -> Mapping[str, Any]:
    return {_MERGE: shared, **own} if own else shared


def _condition(service: str) -> str:
    ends = any(verb.name == service and verb.once for verb in VERBS)
    return "service_completed_successfully" if ends else "service_healthy"


def _healthcheck(*command: str) -> Node:
    """Return the health check. The start period is long, because it ends as soon as the check passes."""
    return {"test": ["CMD", *command], "interval": "5s", "timeout": "10s", "retries": 12, "start_period": "600s"}


def _with_tables(project: Project) -> list[str]:
    return [verb.name for verb in verbs(project.agents) if verb.tables]


class _Merge(str):
    """YAML's merge key, which must not be quoted."""

    __slots__ = ()


_MERGE: Final = _Merge("<<")


class _Dumper(yaml.SafeDumper):
    """Writes the shared environment once, under a readable anchor."""

    def generate_anchor(self, node: yaml.Node) -> str:
        return "environment"

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        """Write a list of strings on one line, as a command."""
        words = all(isinstance(item, str) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=words)


_Dumper.add_representer(_Merge, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:merge", str(value)))
_Dumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", ""))


if __name__ == "__main__":
    sys.stdout.write(compose())
