"""Ports: which server of a stack listens where, and what a person is told when one can't be had."""

from __future__ import annotations

import socket

import pytest

from pipeline.errors import UsageError
from pipeline.local.ports import Ports


def test_ports_from_n_keep_their_order() -> None:
    """Scripts that count on ingress N, sandbox N+1, Kafka N+2, controller N+3, Redis N+4, workers N+5 would miss."""
    ports = Ports.starting_at(20000)
    assert ports.ingress == 20000
    assert ports == (20000, 20001, 20002, 20003, 20004, 20005, 20006, 20007, 20008, 20009)
    workers = ("intake", "handlers", "messenger")
    assert ports._fields == ("ingress", "sandbox", "kafka", "controller", "redis", *workers, "admin", "agents")


def test_the_usual_ports() -> None:
    """Every command of the README names them."""
    assert Ports.configured({}) == (8080, 8090, 9092, 9093, 6379, 8081, 8082, 8083, 8084, 8085)


def test_each_port_can_be_changed() -> None:
    """A person whose 8080 or 9092 is taken for good would have to move all ports."""
    environ = {
        "PIPELINE_KAFKA": "127.0.0.1:19092",
        "PIPELINE_REDIS": "redis://localhost:16379/0",
        "PIPELINE_INGRESS_PORT": "18080",
        "PIPELINE_SANDBOX_PORT": "18090",
        "PIPELINE_INGRESS_ADMIN_PORT": "18084",
    }
    ports = Ports.configured(environ)
    assert (ports.ingress, ports.sandbox, ports.redis, ports.admin) == (18080, 18090, 16379, 18084)
    assert (ports.kafka, ports.controller) == (19092, 19093)


@pytest.mark.parametrize("kafka", ["kafka.example:9092", "a:1,b:2", "", "127.0.0.1:none", "[::1"])
def test_a_broker_elsewhere_changes_nothing(kafka: str) -> None:
    """A .env that points to a shared broker would move the embedded one, or end in a traceback."""
    assert Ports.configured({"PIPELINE_KAFKA": kafka, "PIPELINE_REDIS": "redis://shared:1/0"}) == Ports()


@pytest.mark.parametrize("first", [0, 80, 65530, 70000])
def test_ports_that_can_not_be(first: int) -> None:
    """The stack would fail child by child instead of with one line."""
    with pytest.raises(UsageError, match="--ports-from"):
        Ports.starting_at(first)


def test_every_taken_port_is_named_at_once() -> None:
    """A person would free one port only to be told of the next."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        first, second = one.getsockname()[1], other.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            Ports()._replace(ingress=first, redis=second).require_free()
    line = str(caught.value)
    assert f"{first} (ingress)" in line
    assert f"{second} (redis)" in line
    assert "--ports-from N" in line
    assert "\n" not in line


def test_a_port_that_nothing_needs_may_be_taken() -> None:
    """Whoever has no agents and a server of their own at 8085 could not run `pipeline up` any more."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = Ports.starting_at(20000)._replace(agents=other.getsockname()[1])
        with pytest.raises(UsageError, match="agents"):
            ports.require_free(*(name for name in Ports._fields if name != "agents"))
        ports.require_free(*Ports._fields)
