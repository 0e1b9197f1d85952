"""Readiness probes. A probe never raises, and returns within two seconds.

`python -m pipeline.local.probe URL` exits with 0 if the server is ready: a container's health check.
"""

from __future__ import annotations

import http.client
import socket
import struct
import sys
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

_TIMEOUT: Final = 1.0
_CORRELATION: Final = 20_260_101
_METADATA: Final = struct.pack(">hhihi", 3, 1, _CORRELATION, -1, 0)
"""A Metadata request, version 1, without a client id and without topics (KIP-896 keeps this version)."""


def http_ready(host: str, port: int, path: str = "/readyz") -> bool:
    """Return True if a GET of `path` gets a 2xx."""
    with closing(http.client.HTTPConnection(host, port, timeout=_TIMEOUT)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status // 100 == 2
        except (OSError, http.client.HTTPException):
            return False


def redis_ready(host: str, port: int) -> bool:
    """Return True if Redis answers PING with PONG, which it does only after it has loaded its data."""
    try:
        with socket.create_connection((host, port), _TIMEOUT) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def kafka_ready(host: str, port: int) -> bool:
    """Return True if the metadata lists a broker: the port opens before the broker is registered and unfenced."""
    try:
        with socket.create_connection((host, port), _TIMEOUT) as connection:
            connection.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
            _size, correlation, brokers = struct.unpack(">iii", _receive(connection, 12))
            return bool(correlation == _CORRELATION and brokers > 0)
    except OSError:
        return False


def port_free(host: str, port: int) -> bool:
    """Return True if a server could listen on the port. Connections in TIME_WAIT don't count."""
    with closing(socket.socket()) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except OSError:
            return False
    return True


def answers(url: str) -> bool:
    """Return True if a GET of `http://host:port/path` gets a 2xx."""
    parts = urlsplit(url)
    return http_ready(parts.hostname or "", parts.port or 80, parts.path)


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        if not (part := connection.recv(size - len(received))):
            raise ConnectionResetError
        received += part
    return received


if __name__ == "__main__":
    raise SystemExit(0 if answers(sys.argv[1]) else 1)
