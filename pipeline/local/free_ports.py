"""Free ports for servers. Two concurrent processes never get the same port."""

from __future__ import annotations

import random
import socket

from pipeline.local.probe import port_free

_FIRST, _LAST, _BLOCK = 20_000, 32_000, 11
"""Ports below the kernel's ephemeral range, so that no outgoing connection uses one meanwhile."""
_guards: list[socket.socket] = []


def free_ports() -> int:
    """Return the first of ten consecutive free ports, reserved while this process lives."""
    blocks = list(range(_FIRST, _LAST, _BLOCK))
    random.shuffle(blocks)
    return next(first for first in blocks if _claim(first))


def _claim(first: int) -> bool:
    """Reserve a block by listening on its last port."""
    guard = socket.socket()
    try:
        guard.bind(("127.0.0.1", first + _BLOCK - 1))
    except OSError:
        guard.close()
        return False
    _guards.append(guard)
    return all(port_free("127.0.0.1", port) for port in range(first, first + _BLOCK - 1))
