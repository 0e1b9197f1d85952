"""Free ports for the benchmark's own servers."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pipeline.local.probe import port_free


def free_ports() -> Iterator[int]:
    """Ports on which nothing listens, below the range from which the kernel takes those of outgoing connections."""
    candidates = list(range(20_000, 32_000))
    random.shuffle(candidates)
    return (port for port in candidates if port_free("127.0.0.1", port))
