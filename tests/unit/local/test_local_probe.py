"""Probes: whether a server answers, asked without ever raising."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pipeline.local import probe

Probe = Callable[[str, int], bool]
PROBES: list[Probe] = [probe.http_ready, probe.redis_ready, probe.kafka_ready]


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """A port that gives every client the same answer and hangs up."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def metadata(brokers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in (8, probe._CORRELATION, brokers))


@pytest.mark.parametrize("ask", PROBES)
@pytest.mark.parametrize("answer", [b"", b"x", b"\x00" * 40, b"HTTP/1.1 503 No\r\n\r\n", b"-LOADING\r\n"])
def test_any_other_answer_is_no(ask: Probe, answer: bytes) -> None:
    """A server that is still loading, or a stranger on the port, would be called ready, or end the stack."""
    with server(answer) as port:
        assert not ask("127.0.0.1", port)


@pytest.mark.parametrize("ask", PROBES)
def test_a_closed_port_is_no(ask: Probe) -> None:
    """The stack would end with an error while it waits for its first server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not ask("127.0.0.1", port)


def test_the_right_answers_are_yes() -> None:
    """The stack would wait for servers that are up."""
    with server(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert probe.http_ready("127.0.0.1", port)
    with server(b"+PONG\r\n") as port:
        assert probe.redis_ready("127.0.0.1", port)
    with server(metadata(1)) as port:
        assert probe.kafka_ready("127.0.0.1", port)


def test_a_broker_that_is_not_registered_yet_is_not_ready() -> None:
    """Topics would be created on a broker that can't take them, and the start would fail now and then."""
    with server(metadata(0)) as port:
        assert not probe.kafka_ready("127.0.0.1", port)


def test_a_container_can_ask() -> None:
    """Every container would be called unhealthy, and nothing would start after it."""
    with server(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        url = f"http://127.0.0.1:{port}/readyz"
        assert subprocess.run([sys.executable, "-m", "pipeline.local.probe", url], check=False).returncode == 0
    assert subprocess.run([sys.executable, "-m", "pipeline.local.probe", url], check=False).returncode == 1
