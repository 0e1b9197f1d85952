"""One stack of processes: sandbox, messenger, handlers, intake, ingress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench import webhooks
from bench.accounts import Number
from bench.doors import door
from bench.end_to_end.candidates import Candidate
from bench.end_to_end.replies import Replies
from bench.lab import Lab
from bench.process import Process, running
from pipeline.local.probe import http_ready


@dataclass(frozen=True)
class Stack:
    """A stack that serves. `processes` are the four of the candidate, by name."""

    port: int
    replies: Replies
    processes: Mapping[str, Process]

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU time of each of its processes."""
        return {name: process.cpu_seconds() for name, process in self.processes.items()}


@contextmanager
def stack(lab: Lab, candidate: Candidate, others: Iterable[Number] = ()) -> Iterator[Stack]:
    """Start everything and waits until all of it is ready. `others` have their gateways elsewhere."""
    with ExitStack() as stops:
        url = stops.enter_context(sandbox(lab))
        tenants = lab.tenants_file([Number(webhooks.TENANT, webhooks.ACCOUNT, url), *others])
        env = {**lab.environment(tenants, lab.fresh("data")), **candidate.env}
        workers = stops.enter_context(_workers(lab, candidate, env))
        ingress, port = stops.enter_context(door(lab, candidate.door, env))
        yield Stack(port, Replies(url), {**workers, "ingress": ingress})


@contextmanager
def sandbox(lab: Lab, *accounts: str) -> Iterator[str]:
    """A sandbox of these numbers, by default of the benchmark's own, without limits and statuses; its URL."""
    port = lab.port()
    arguments = ("sandbox", "--port", str(port), "--no-statuses", "--messages-per-second", "0")
    env = {"PIPELINE_SANDBOX_ACCOUNTS": str(_accounts(lab, accounts or (webhooks.ACCOUNT,)))}
    with running(lambda: lab.spawn("sandbox", "pipeline.cli", *arguments, env=env)) as (process,):
        process.wait_until(lambda: http_ready("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}"


def _accounts(lab: Lab, accounts: Iterable[str]) -> Path:
    shared = {"provider": "cloud", "token": webhooks.TOKEN, "webhook_secret": webhooks.APP_SECRET.decode()}
    path = lab.fresh("sandbox") / "accounts.json"
    path.write_bytes(orjson.dumps([{**shared, "id": account} for account in accounts]))
    return path


@contextmanager
def _workers(lab: Lab, candidate: Candidate, env: Mapping[str, str]) -> Iterator[dict[str, Process]]:
    ports = [lab.port() for _ in candidate.workers]
    with ExitStack() as stops:
        started: dict[str, Process] = {}
        for command, port in zip(candidate.workers, ports, strict=True):
            settings = {**env, "PIPELINE_WORKER_PORT": str(port)}
            started[command[-1]] = stops.enter_context(_worker(lab, command, settings))
        for process, port in zip(started.values(), ports, strict=True):
            process.wait_until(_answers(port))
        yield started


@contextmanager
def _worker(lab: Lab, command: tuple[str, ...], env: Mapping[str, str]) -> Iterator[Process]:
    with running(lambda: lab.spawn("-".join(command), *command, env=env)) as (process,):
        yield process


def _answers(port: int) -> Callable[[], bool]:
    return lambda: http_ready("127.0.0.1", port)
