"""Load a tenants file in this process and print what it took: `python -m bench.tenants.load FILE` prints JSON.

Each process loads once: what an earlier load has left in memory would be counted, or used again.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson
import psutil

from bench.tenants import file
from pipeline.tenants import Tenants, load_tenants
from pipeline.yaml_reader import read_yaml

TURNS: Final = 2_000


def measure(path: Path) -> dict[str, float]:
    """Return seconds and CPU seconds of the load, MiB that stay and MiB at the peak, and µs of each look-up."""
    process = psutil.Process()
    before, began, cpu = process.memory_info().rss, time.perf_counter(), time.process_time()
    tenants = load_tenants(path, {})
    figures = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    figures |= {"held": (process.memory_info().rss - before) / 2**20, "peak": (_peak() - before) / 2**20}
    figures |= {f"find {name}": _micros(look_up) for name, look_up in _look_ups(tenants).items()}
    return figures | {"read": _cpu_seconds(lambda: _read(path))}


def _peak() -> int:
    """Return the most bytes that this process has had. `getrusage` on Linux counts its parent's too."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _read(path: Path) -> object:
    with path.open(encoding="utf-8") as stream:
        return read_yaml(stream, {"tenants": lambda *_: None})


def _look_ups(tenants: Tenants) -> dict[str, Callable[[], object]]:
    tenant = len(tenants) - 1
    number, gateway = tenant, tenant + len(tenants)
    provider = ("wasender", "wawp", "waha")[gateway % 3]
    name, key, secret = file.tenant_id(tenant), file.api_key(tenant), file.webhook_secret(gateway)
    found: dict[str, Callable[[], object]] = {
        "number": lambda: tenants.owner("cloud", file.phone_number_id(number)),
        "business": lambda: tenants.owner("cloud", file.business_id(tenant)),
        "session": lambda: tenants.sessions(name, provider, file.session(gateway)),
        "secret": lambda: tenants.secret_holders(name, provider, secret),
        "API key": lambda: tenants.keyholder(key),
        "weight": lambda: tenants.weight(name),
    }
    missing = [each for each, look_up in found.items() if not look_up()]
    if missing:
        raise ValueError(f"nothing was found by {', '.join(missing)}")
    return found


def _micros(call: Callable[[], object]) -> float:
    """Return the cost of a call in µs of CPU, the best of several turns."""
    costs = []
    for _ in range(20):
        began = time.thread_time()
        for _ in range(TURNS):
            call()
        costs.append((time.thread_time() - began) / TURNS * 1e6)
    return min(costs)


def _cpu_seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(measure(Path(sys.argv[1]))))
