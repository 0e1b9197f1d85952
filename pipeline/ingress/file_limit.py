"""The limit of open files of the process: every connection is one."""

from __future__ import annotations

import resource
from typing import Final

OTHER_FILES: Final = 512
"""Files beside the connections: Kafka, logs, the admin port, and connections that are being closed."""


def raise_file_limit(connections: int, rejecting: int) -> str | None:
    """Raise the soft limit as far as needed and allowed. Return a one-line warning if that is not enough.

    Args:
        connections: connections that may be open at once.
        rejecting: connections above that which may be answered with 503 at once.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    wanted = needed + rejecting
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
    """Return the number of files that are left beside these connections and all other files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else max(soft - connections - OTHER_FILES, 0)
