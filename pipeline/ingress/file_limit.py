"""How many files the process may have open: every connection is one."""

from __future__ import annotations

import resource
from typing import Final

OTHERS: Final = 512
"""Files beside the connections: Kafka, logs, the admin port, and what is being closed."""


def allow_files(connections: int, refusals: int) -> str | None:
    """Raises the process's own limit as far as it must and may be; one line for a person where that is not enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHERS
    wanted = needed + refusals
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return None
    return (
        f"{soft} open files are allowed and {connections} connections may need {needed}: raise the limit "
        f"(ulimit -n {needed}, LimitNOFILE, --ulimit nofile) or lower PIPELINE_INGRESS_CONNECTIONS"
    )


def spare_files(connections: int) -> int:
    """How many more files there may be than these connections and all else need."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else max(soft - connections - OTHERS, 0)
