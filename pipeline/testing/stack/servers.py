"""The processes of a test session: Kafka, Redis and the sandbox, and a worker with the handler that is tested now."""

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
from pipeline.topics.catalogue import COMMANDS_BULK, COMMANDS_INTERACTIVE, HANDLERS, Topic, dead_letters, events

PARTITIONS: Final = 2
COMMANDS: Final = (COMMANDS_INTERACTIVE, COMMANDS_BULK)
LETTERS: Final = dead_letters("handle")
OUTPUTS: Final = (*COMMANDS, LETTERS)
_OF_PYTEST: Final = "PYTEST_CURRENT_TEST"
_SHORT_LIVED: Final = "-XX:TieredStopAtLevel=1"
"""What Java's second compiler costs is not earned in the life of a test."""


class WorkerSpec(NamedTuple):
    """What a worker is started for; what it would see of `environ` belongs to it."""

    path: str
    timeout: float
    environ: Mapping[str, str]


def worker_spec(path: str, timeout: float) -> WorkerSpec:
    return WorkerSpec(path, timeout, {name: value for name, value in os.environ.items() if name != _OF_PYTEST})


class StackProcess(Server):
    """A process of one of our own commands."""

    def __init__(self, data_dir: Path, port: int, env: Mapping[str, str], *arguments: str) -> None:
        self.name = " ".join(arguments)
        super().__init__(data_dir, data_dir / "log")
        self.env = env
        self._port = port

    @property
    def argv(self) -> list[str]:
        return [*COMMAND, *self.name.split()]

    @property
    def ports(self) -> tuple[int, ...]:
        return (self._port,)

    def prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)

    def is_ready(self) -> bool:
        return http_ready(LOOPBACK, self._port)

    @property
    def last_log_line(self) -> str:
        return "".join(last_lines(self.log, 1)) or "it has logged nothing"


class StackWorker(StackProcess):
    """`pipeline worker handlers` for one job, on a lane that nobody has used before."""

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

    def prepare(self) -> None:
        super().prepare()
        content = tenants_file(self.lane, (self.env or {})["PIPELINE_SANDBOX_URL"])
        (self.data_dir / "tenants.yaml").write_text(yaml.safe_dump(content))


class StackServers:
    """Starts what is needed when it is needed. One worker runs at a time."""

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
        """Whose rows are in Redis and whose commands are on the topics."""

    def start(self) -> None:
        fixed = (self.kafka, self.redis, self.sandbox)
        for server in fixed:
            server.launch()
        for server in fixed:
            server.wait_ready()
        self.loop.run(self.clients.open())
        self._create(*OUTPUTS)

    def worker(self, job: WorkerSpec) -> StackWorker:
        """The running worker if it has the same job, else a new one in its place. It blocks: two would be started."""
        if self._worker is None or self._worker.job != job or not self._worker.running:
            self._replace(StackWorker(self._directory / f"test-{next(self._numbers)}", self.shared, job))
        assert self._worker is not None
        return self._worker

    def _replace(self, worker: StackWorker) -> None:
        if self._worker is not None:
            self._worker.kill()
        self._create(worker.topic)
        self._worker = worker
        worker.start()

    def _create(self, *topics: Topic) -> None:
        self.loop.run(admin.create(self.kafka.bootstrap, topics, PARTITIONS, 1))

    def stop(self) -> None:
        """Nothing of it is wanted any more, so nobody is asked to finish."""
        with suppress(Exception):
            self.loop.run(self.clients.close())
        self.loop.close()
        for server in (self._worker, self.sandbox, self.redis, self.kafka):
            if server is not None:
                server.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


@cache
def servers() -> StackServers:
    """Those of this process, started when they are first asked for and gone with it."""
    made = StackServers(Path(tempfile.mkdtemp(prefix="pipeline-testing-")))
    try:
        made.start()
    except BaseException:
        made.stop()
        raise
    atexit.register(made.stop)
    return made


def _shared(ports: Ports) -> dict[str, str]:
    """What all processes are told. Nothing that the caller's own variables or `.env` name is ever reached."""
    return environment(ports, lambda _: LOOPBACK, str(PARTITIONS)) | {
        "PIPELINE_CACHE": "redis",
        "PIPELINE_COMMIT_INTERVAL": "0.05",
        "PIPELINE_FAILURE_RUN": "0",
        "PIPELINE_FAILURE_RATIO": "0",
        "PIPELINE_LOG_FORMAT": "console",
        "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path),
        "PYTHONUNBUFFERED": "1",
    }
