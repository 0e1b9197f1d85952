"""How much memory each process may hold while hostile webhooks come, whatever is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chaos.memory import Grown

LIMIT_MIB: Final = 512
"""Resident memory of an ingress or a worker. Idle they have some 100 MiB; webhooks of up to 3 MiB come on top."""
_NOT_OURS: Final = ("kafka", "redis")


def too_heavy(grown: Mapping[str, Grown]) -> Sequence[str]:
    """Return one line for each process that was ever above the limit."""
    ours = {name: each.peak for name, each in grown.items() if name not in _NOT_OURS}
    return [f"{name}: {peak:.0f} MiB, not {LIMIT_MIB}" for name, peak in ours.items() if peak > LIMIT_MIB]
