"""Which server of the stack listens where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from pipeline.errors import UsageError
from pipeline.local.probe import port_free

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Ports(NamedTuple):
    """One port for each server; the fields are the services' names, but for Kafka's second one and the ingress's."""

    ingress: int = 8080
    sandbox: int = 8090
    kafka: int = 9092
    controller: int = 9093
    redis: int = 6379
    intake: int = 8081
    handlers: int = 8082
    messenger: int = 8083
    admin: int = 8084

    @classmethod
    def starting_at(cls, first: int) -> Ports:
        """Nine consecutive ports from `first`, so that two stacks can run side by side."""
        if not 1024 <= first <= 65_535 - len(cls._fields):
            raise UsageError(f"--ports-from {first} leaves no room for nine ports: choose one from 1024 to 65000")
        return cls(*range(first, first + len(cls._fields)))

    @classmethod
    def configured(cls, environ: Mapping[str, str]) -> Ports:
        """The usual ports, but where `PIPELINE_…` variables name others on this machine."""
        kafka = _local_port(f"//{environ.get('PIPELINE_KAFKA', '')}")
        redis = _local_port(environ.get("PIPELINE_REDIS", ""))
        names = ("INGRESS", "SANDBOX", "INGRESS_ADMIN")
        ingress, sandbox, admin = (environ.get(f"PIPELINE_{name}_PORT") for name in names)
        usual = cls()
        return usual._replace(
            ingress=_number(ingress) or usual.ingress,
            sandbox=_number(sandbox) or usual.sandbox,
            kafka=kafka or usual.kafka,
            controller=kafka + 1 if kafka else usual.controller,
            redis=redis or usual.redis,
            admin=_number(admin) or usual.admin,
        )

    def require_free(self) -> None:
        """Raises `UsageError` with one line that names every port that can't be had."""
        taken = [f"{port} ({name})" for name, port in self._asdict().items() if not port_free("127.0.0.1", port)]
        if taken:
            ports = "port" if len(taken) == 1 else "ports"
            verb = "is" if len(taken) == 1 else "are"
            hint = "stop what listens there, or choose others with --ports-from N"
            raise UsageError(f"{ports} {', '.join(taken)} {verb} taken: {hint}")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _local_port(url: str) -> int | None:
    """The port of a server on this machine; None for one elsewhere, which `pipeline up` does not use."""
    try:
        parts = urlsplit(url)
        return parts.port if parts.hostname in _LOOPBACK else None
    except ValueError:
        return None
