"""Free ports for the servers of a run."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pipeline.local.ports import Ports
from pipeline.local.probe import port_free


def free_ports() -> Iterator[int]:
    """Ports on which nothing listens, below the range from which the kernel takes those of outgoing connections."""
    candidates = list(range(12_000, 20_000))
    random.shuffle(candidates)
    return (port for port in candidates if port_free("127.0.0.1", port))


def stack_ports(free: Iterator[int]) -> Ports:
    """Return one for each server of a stack."""
    return Ports(*(next(free) for _ in Ports._fields))
