"""The processes of a test session: Kafka, Redis and the sandbox, and a worker with the handler under test."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from pipeline.local.free_ports import free_ports
from pipeline.local.kafka import Kafka
from pipeline.local.ports import Ports
from pipeline.local.probe import http_ready
from pipeline.local.process import Server, last_lines
from pipeline.local.redis import RedisServer
from pipeline.local.services import COMMAND, LOOPBACK, environment
from pipeline.runtime.kafka import admin
from pipeline.testing.stack.clients import StackClients
from pipeline.testing.stack.thread import LoopThread
from pipeline.testing.webhooks import tenants_file
from pipeline.topics.catalogue import (
    COMMANDS_BULK,
    COMMANDS_INTERACTIVE,
    HANDLERS,
    Topic,
    dead_letters,
    events,
    parked_changelog,
)

PARTITIONS: Final = 2
COMMANDS: Final = (COMMANDS_INTERACTIVE, COMMANDS_BULK)
LETTERS: Final = dead_letters("handle")
WORKER: Final = (*COMMAND[:-1], "pipeline.testing.stack.worker")
OUTPUTS: Final = (*COMMANDS, LETTERS)
_OF_PYTEST: Final = "PYTEST_CURRENT_TEST"
_SHORT_LIVED: Final = "-XX:TieredStopAtLevel=1"
"""Java's second compiler costs more than it saves in the life of a test."""


class WorkerSpec(NamedTuple):
    """The parameters of a worker: handler, timeout in seconds, and environment variables."""

    path: str
    timeout: float
    environ: Mapping[str, str]


def worker_spec(path: str, timeout: float) -> WorkerSpec:
    """Return the parameters of a worker with this process' environment variables."""
    return WorkerSpec(path, timeout, {name: value for name, value in os.environ.items() if name != _OF_PYTEST})


class StackProcess(Server):
    """A process that runs one of our own commands."""

    def __init__(self, data_dir: Path, port: int, env: Mapping[str, str], *arguments: str) -> None:
        self.name = " ".join(arguments)
        super().__init__(data_dir, data_dir / "log")
        self.env = env
        self._port = port

    @property
    def argv(self) -> list[str]:
        """The command line."""
        return [*COMMAND, *self.name.split()]

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on."""
        return (self._port,)

    def prepare(self) -> None:
        """Create its directory."""
        self.data_dir.mkdir(parents=True, exist_ok=True)

    def is_ready(self) -> bool:
        """Return True once it answers over HTTP."""
        return http_ready(LOOPBACK, self._port)

    @property
    def last_log_line(self) -> str:
        """The last line of its log."""
        return "".join(last_lines(self.log, 1)) or "it has logged nothing"


class StackWorker(StackProcess):
    """`pipeline worker handlers` with one handler, on a lane that no other worker has used."""

    def __init__(self, data_dir: Path, shared: Mapping[str, str], job: WorkerSpec) -> None:
        self.job = job
        self.lane = data_dir.name
        self.topic = events(self.lane)
        self.group = f"{HANDLERS}-{self.lane}"
        port = free_ports()
        own = {
            "PIPELINE_DATA_DIR": str(data_dir),
            "PIPELINE_TENANTS": str(data_dir / "tenants.yaml"),
            "PIPELINE_HANDLER": job.path,
            "PIPELINE_HANDLER_TIMEOUT": str(job.timeout),
            "PIPELINE_WORKER_PORT": str(port),
        }
        super().__init__(data_dir, port, {**job.environ, **shared, **own}, "worker", "handlers", "--lane", self.lane)

    @property
    def argv(self) -> list[str]:
        """The command line, of a worker that does not wait between the tries of an event."""
        return [*WORKER, *self.name.split()]

    def prepare(self) -> None:
        """Create its directory and its tenants file."""
        super().prepare()
        content = tenants_file(self.lane, (self.env or {})["PIPELINE_SANDBOX_URL"])
        (self.data_dir / "tenants.yaml").write_text(yaml.safe_dump(content))


class StackServers:
    """The servers of a session. One worker runs at a time."""

    def __init__(self, directory: Path) -> None:
        ports = Ports.starting_at(free_ports())
        self.shared = _shared(ports)
        self.loop = LoopThread()
        self.kafka = Kafka(directory / "kafka", ports.kafka, ports.controller)
        self.kafka.env = {"JAVA_TOOL_OPTIONS": _SHORT_LIVED, **os.environ}
        self.redis = RedisServer(directory / "redis", ports.redis)
        self.sandbox = StackProcess(directory / "sandbox", ports.sandbox, {**os.environ, **self.shared}, "sandbox")
        self.clients = StackClients(self.kafka.bootstrap, self.redis.url, PARTITIONS)
        self._directory = directory
        self._numbers = count(1)
        self._worker: StackWorker | None = None
        self.holder: object = None
        """The environment whose rows are in Redis and whose commands are on the topics."""

    def start(self) -> None:
        """Start Kafka, Redis and the sandbox, and connect the clients."""
        fixed = (self.kafka, self.redis, self.sandbox)
        for server in fixed:
            server.launch()
        for server in fixed:
            server.wait_ready()
        self.loop.run(self.clients.open())
        self._create(*OUTPUTS)

    def worker(self, job: WorkerSpec) -> StackWorker:
        """Return the running worker if it has these parameters, else a new one.

        It blocks, so that only one is started.
        """
        if self._worker is None or self._worker.job != job or not self._worker.running:
            self._replace(StackWorker(self._directory / f"test-{next(self._numbers)}", self.shared, job))
        assert self._worker is not None
        return self._worker

    def _replace(self, worker: StackWorker) -> None:
        if self._worker is not None:
            self._worker.kill()
        self._create(worker.topic, parked_changelog(worker.group))
        self._worker = worker
        worker.start()

    def _create(self, *topics: Topic) -> None:
        self.loop.run(admin.create(self.kafka.bootstrap, topics, PARTITIONS, 1))

    def stop(self) -> None:
        """Kill all processes and delete their files."""
        with suppress(Exception):
            self.loop.run(self.clients.close())
        self.loop.close()
        for server in (self._worker, self.sandbox, self.redis, self.kafka):
            if server is not None:
                server.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


@cache
def servers() -> StackServers:
    """Return the servers of this process. They are started at the first call and stopped when the process exits."""
    made = StackServers(Path(tempfile.mkdtemp(prefix="pipeline-testing-")))
    try:
        made.start()
    except BaseException:
        made.stop()
        raise
    atexit.register(made.stop)
    return made


def _shared(ports: Ports) -> dict[str, str]:
    """Return the variables of all processes. They hide the caller's own variables and `.env`."""
    return environment(ports, lambda _: LOOPBACK, str(PARTITIONS)) | {
        "PIPELINE_CACHE": "redis",
        "PIPELINE_COMMIT_INTERVAL": "0.05",
        "PIPELINE_FAILURE_RUN": "0",
        "PIPELINE_FAILURE_RATIO": "0",
        "PIPELINE_LOG_FORMAT": "console",
        "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
        "PYTHONUNBUFFERED": "1",
    }
