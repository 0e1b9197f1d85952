"""Whole stacks for tests: `pipeline up` as a person runs it, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from pipeline.local.ports import Ports
from pipeline.local.services import verbs
from tests.support.waiting import HANG

ROOT = Path(__file__).parents[2]

_SIGNS = {
    "kafka": "kafka.Kafka",
    "redis": "redis-server",
    **{verb.name: f"pipeline.cli {' '.join(verb.arguments)}" for verb in verbs(agents=True)},
}
"""What a service's command line contains."""


def eventually(condition: Callable[[], object], what: str | Callable[[], str], hang: float = HANG) -> None:
    """Wait until `condition` holds. Fail with `what` (as it is then, if it can be called) after `hang` seconds."""
    deadline = time.monotonic() + hang
    while not condition():
        assert time.monotonic() < deadline, f"not within {hang} s: {what if isinstance(what, str) else what()}"
        time.sleep(0.05)


class Process:
    """A command whose output goes to a file, so that it can be waited for."""

    def __init__(
        self, argv: Sequence[str], output: Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> None:
        self._output = output
        with output.open("wb") as file:
            self._popen = subprocess.Popen(
                argv, cwd=cwd, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def ended(self) -> bool:
        return self._popen.poll() is not None

    def wait_for(self, text: str) -> None:
        """Waits until it has printed `text`; fails at once when it has ended without."""
        ended = self._popen.poll
        eventually(lambda: text in self.output or ended() is not None, lambda: f"{text!r} in {self.output}")
        assert text in self.output, self.output

    def wait_for_end(self, seconds: float = HANG) -> None:
        """Waits until it has ended; fails with all that it has printed. Name the seconds of what works for long."""
        eventually(lambda: self._popen.poll() is not None, lambda: f"the end of {self.output}", seconds)

    def wait(self) -> int:
        """Its exit status."""
        return self._popen.wait(HANG)

    def signal(self, number: signal.Signals) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def kill(self) -> None:
        """End it with SIGKILL, if it still runs. The kernel takes the children of a supervisor with it."""
        self.signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        """End it with SIGTERM. Return its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)


class Stack(Process):
    """One `pipeline up` on ports and data of its own."""

    def __init__(
        self,
        first_port: int,
        data_dir: Path,
        output: Path,
        args: Sequence[str],
        env: Mapping[str, str],
        cwd: Path = ROOT,
    ) -> None:
        self.ports = Ports.starting_at(first_port)
        self.data_dir = data_dir
        where = ["--ports-from", str(first_port), "--data-dir", str(data_dir)]
        # A busy machine may need longer for a webhook than a provider waits.
        patient = {"PIPELINE_INGRESS_DEADLINE": str(HANG)}
        super().__init__([sys.executable, "-m", "pipeline.cli", "up", *where, *args], output, {**patient, **env}, cwd)

    @property
    def ingress_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.ingress}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.sandbox}"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.ports.kafka}"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.ports.redis}/0"

    def wait_ready(self) -> None:
        """Waits as long as its screen tells of something new now and then."""
        seen, deadline = "", time.monotonic() + HANG
        while "Ready in" not in (now := self.output):
            if now != seen:
                seen, deadline = now, time.monotonic() + HANG
            assert self._popen.poll() is None, f"it has ended: {now}"
            assert time.monotonic() < deadline, f"nothing new within {HANG} s: {now}"
            time.sleep(0.05)

    def child(self, name: str) -> psutil.Process:
        """The running child of a service: `kafka`, `redis`, `sandbox`, `ingress`, `intake`, `handlers`, `messenger`."""
        for process in self.descendants():
            if _SIGNS[name] in " ".join(process.cmdline()):
                return process
        raise AssertionError(f"{name} does not run: {self.output}")

    def times_ready(self, name: str) -> int:
        """How often the service has become ready: once at the start, and once after each death."""
        return self.output.count(f"✓ {name} ")

    def log(self, name: str) -> str:
        """What the child `name` has logged."""
        return (self.data_dir / "logs" / f"{name}.log").read_text(errors="replace")

    def in_progress(self, port: int) -> float:
        """How many records the worker on `port` has taken and not finished."""
        name = "pipeline_records_in_progress{"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANG) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        return self.terminate()
