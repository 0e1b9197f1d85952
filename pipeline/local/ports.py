"""The ports of the stack's servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from pipeline.errors import UsageError
from pipeline.local.probe import port_free

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Ports(NamedTuple):
    """One port per server. Fields are named after the services, except the second ports of Kafka and ingress."""

    ingress: int = 8080
    sandbox: int = 8090
    kafka: int = 9092
    controller: int = 9093
    redis: int = 6379
    intake: int = 8081
    handlers: int = 8082
    messenger: int = 8083
    admin: int = 8084
    agents: int = 8085

    @classmethod
    def starting_at(cls, first: int) -> Ports:
        """Return ten consecutive ports from `first`, so that several stacks can run side by side."""
        if not 1024 <= first <= 65_535 - len(cls._fields):
            raise UsageError(f"--ports-from {first} leaves no room for ten ports: choose one from 1024 to 65000")
        return cls(*range(first, first + len(cls._fields)))

    @classmethod
    def configured(cls, environ: Mapping[str, str]) -> Ports:
        """Return the default ports, except those that `PIPELINE_…` variables set."""
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

    def require_free(self, *unused: str) -> None:
        """Raise `UsageError` with one line that names every port in use, save those of servers that are not started."""
        needed = {name: port for name, port in self._asdict().items() if name not in unused}
        taken = [f"{port} ({name})" for name, port in needed.items() if not port_free("127.0.0.1", port)]
        if taken:
            ports = "port" if len(taken) == 1 else "ports"
            verb = "is" if len(taken) == 1 else "are"
            hint = "stop what listens there, or choose others with --ports-from N"
            raise UsageError(f"{ports} {', '.join(taken)} {verb} taken: {hint}")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _local_port(url: str) -> int | None:
    """Return the port of a server on this machine; None for a remote server, which `pipeline up` does not use."""
    try:
        parts = urlsplit(url)
        return parts.port if parts.hostname in _LOOPBACK else None
    except ValueError:
        return None
