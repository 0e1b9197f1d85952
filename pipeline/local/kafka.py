"""A Kafka node on this machine: broker and controller in one process (KRaft), from pip packages."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path
from typing import Final

from pipeline.errors import UsageError
from pipeline.local.jars import class_path, java
from pipeline.local.probe import kafka_ready
from pipeline.local.process import Server, last_lines, spawn
from pipeline.private_files import make_private_dir

_MIB: Final = 1024 * 1024

SETTINGS: Final[dict[str, str]] = {
    "auto.create.topics.enable": "false",  # a topic made by accident has the wrong partition count for ever
    "group.initial.rebalance.delay.ms": "0",  # 3 s by default, added to the first join of every group
    "message.max.bytes": str(6 * _MIB),
    "replica.fetch.max.bytes": str(6 * _MIB),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "8",
    "broker.session.timeout.ms": "3000",  # the node that follows a killed one waits as long
    "broker.heartbeat.interval.ms": "500",
    "log.index.size.max.bytes": str(_MIB),  # reserved for each segment that is written
    "log.cleaner.dedupe.buffer.size": str(16 * _MIB),  # a quarter of the heap by default
}
"""Settings for a small and fast single node without automatic topics; containers use the same."""

HEAP: Final = "-Xmx512m -XX:+UseSerialGC"

_LOG4J: Final = """\
Configuration:
  status: "ERROR"
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: STDOUT
    Logger:
      - name: org.apache.kafka.common.utils.AppInfoParser
        level: INFO
"""


class Kafka(Server):
    """One broker on loopback. Its data survives a kill; its ports may change between two starts."""

    name = "kafka"

    def __init__(self, data_dir: Path, port: int, controller_port: int, log: Path | None = None) -> None:
        super().__init__(data_dir, log)
        self.port = port
        self.controller_port = controller_port

    @property
    def bootstrap(self) -> str:
        """Bootstrap servers for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port, self.controller_port)

    @property
    def argv(self) -> list[str]:
        return [*self._java(*HEAP.split()), "kafka.Kafka", str(self._properties)]

    def prepare(self) -> None:
        make_private_dir(self.data_dir / "tmp")
        self._log4j.write_text(_LOG4J)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in self._settings().items()))
        if not (self._log_dir / "meta.properties").exists():  # the formatter writes it last
            self._format()

    def is_ready(self) -> bool:
        return kafka_ready("127.0.0.1", self.port)

    @property
    def _properties(self) -> Path:
        return self.data_dir / "server.properties"

    @property
    def _log4j(self) -> Path:
        return self.data_dir / "log4j2.yaml"

    @property
    def _log_dir(self) -> Path:
        return self.data_dir / "log"

    def _java(self, *options: str) -> list[str]:
        return [
            java(),
            *options,
            "-XX:-UsePerfData",
            "--sun-misc-unsafe-memory-access=allow",  # Java 25 warns of Kafka's own use at every start
            f"-Djava.io.tmpdir={self.data_dir / 'tmp'}",
            f"-Dlog4j2.configurationFile={self._log4j}",
            "-cp",
            class_path(),
        ]

    def _format(self) -> None:
        options = ["--cluster-id", _cluster_id(), "--config", str(self._properties), "--ignore-formatted"]
        tool = [*self._java("-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool", "format", *options]
        if spawn(tool, self.log).wait():
            raise UsageError(f"can't format {self._log_dir}: {last_error(self.log)}; its log is {self.log}")

    def _settings(self) -> dict[str, str]:
        return SETTINGS | {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._log_dir),
        }


def last_error(log: Path) -> str:
    """Return the last line of a Java program's log that is not part of a stack trace."""
    return next((line for line in reversed(last_lines(log, 50)) if not line.startswith("\t")), "no output")


def _cluster_id() -> str:
    """Return a cluster id as Kafka makes it, without a leading dash, which would be read as an option."""
    return "w" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
