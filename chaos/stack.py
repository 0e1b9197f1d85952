"""The stack of a run: `pipeline up`'s services, started again however often they die, joined and left by workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final, NamedTuple

from chaos import beside
from chaos.accounts import ABSENT, HANGING, NOISY, NUMBERS, RAISING, Setup, write_accounts, write_tenants
from chaos.handler import PATH
from chaos.memory import Memory
from chaos.options import Options
from chaos.plan import Act
from chaos.ports import free_ports, stack_ports
from chaos.raising import PATH as RAISING_PATH
from chaos.raising import SWITCH
from chaos.target import ROOT, aimed, groups
from pipeline.local.child import Child, ChildEvent, ChildState
from pipeline.local.probe import http_ready
from pipeline.local.services import LOOPBACK, Service, services
from pipeline.local.supervisor import LAST_LINES, Supervisor
from pipeline.topics.catalogue import events

LEAVE_SECONDS: Final = 20.0
"""A service that was told to end is killed after so long."""
PARKING: Final = ("handlers", "messenger", "agents")
"""Apps that park records."""
EVENTS: Final = events("default").name
_KILLED: Final = "was killed by SIGKILL"


class Worker(NamedTuple):
    """A process of an app that parks records. `url` is that of its health server."""

    name: str
    pid: int
    url: str


@dataclass(slots=True)
class Death:
    """An end that nobody asked for, or that was not as it was asked for."""

    name: str
    why: str
    lines: Sequence[str]


@dataclass
class Log:
    """The events of the supervisor."""

    deaths: list[Death] = field(default_factory=list)
    restarts: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from each start of a service until it was ready."""
    ready: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.wanted: dict[str, frozenset[str]] = {}
        """How the end of a service that was killed may read."""

    def died(self, name: str, why: str, _log: Path, lines: Sequence[str], _deaths: int) -> None:
        if why not in self.wanted.pop(name, ()):
            self.deaths.append(Death(name, why, lines))

    def started(self, service: Service, seconds: float) -> None:
        self.restarts.setdefault(service.name, []).append(seconds)


class Reporter:
    """The supervisor's view of a `Log`: what is of no interest here is not kept."""

    def __init__(self, log: Log) -> None:
        self.died = log.died
        self.ready = log.started
        self._log = log

    def slow(self, name: str, seconds: float, sign: str, log: Path) -> None:
        """It is waited for."""

    def gave_up(self, name: str, log: Path) -> None:
        """Never: deaths are not counted here."""

    def all_ready(self, _seconds: float) -> None:
        self._log.ready.set()

    def output(self, name: str, lines: Sequence[str]) -> None:
        """The logs are in files."""

    def failed(self, name: str, lines: Sequence[str]) -> None:
        """Failures are what the run causes, and what it counts elsewhere."""

    def stopping(self) -> None:
        """The run says so itself."""

    def stopped(self, killed: Sequence[str], seconds: float) -> None:
        for name in killed:
            self._log.deaths.append(Death(name, f"did not end within {seconds:.0f} s of the final stop", ()))


class Stack(Supervisor):
    """Runs in the main thread; the other methods may be called from any.

    Redis syncs every write before it answers: with `everysec`, an acknowledged write can be lost, and with it the
    record that makes an event's effect happen once. That setting is weaker, and is not what is tried here.

    Args:
        without: services that are left out.
        handler: dotted path of every tenant's handler.
        setup: the tenants and numbers; None: those of `options`.

    Attributes:
        gateways: ports of the gateways of the tenants that have one of their own, which the harness runs.
        switch: the file that makes a tenant's hook raise.
    """

    def __init__(
        self,
        directory: Path,
        options: Options,
        *,
        without: Collection[str] = (),
        handler: str = PATH,
        setup: Setup | None = None,
    ) -> None:
        self.directory = directory
        self.free = free_ports()
        self.ports = stack_ports(self.free)
        self.log = Log()
        self.memory = Memory()
        self.interrupted = False
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._leaving: list[tuple[Child, float]] = []
        self._frozen: dict[str, tuple[Child, float]] = {}
        self.switch = directory / "raising"
        self.stock = options.on.stock
        self._shared = _environment(directory, options, self.sandbox_url, handler)
        self.gateways = {n.tenant: next(self.free) for n in (ABSENT, HANGING[0])} if options.noisy else {}
        setup = setup or (_noisy_setup(self.gateways) if options.noisy else Setup())
        setup = setup._replace(agents=beside.ENTRIES if options.agents else ())
        write_tenants(directory / "tenants.yaml", self.sandbox_url, setup)
        write_accounts(directory / "accounts.json", setup)
        all_services = services(self.ports, directory, self._shared, agents=options.agents)
        planned = [_adapted(aimed(service, options.on)) for service in all_services]
        kept = [service for service in planned if service.name not in without]
        self.groups = groups(options.on, without) | ({beside.COUNTED: (EVENTS,)} if options.agents else {})
        super().__init__(kept, directory / "logs", Reporter(self.log), max_deaths=None)

    @property
    def ingress_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.ingress}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.sandbox}"

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.ports.kafka}"

    @property
    def redis_url(self) -> str:
        return f"redis://{LOOPBACK}:{self.ports.redis}/0"

    @property
    def not_ready(self) -> list[str]:
        """Services that are down or starting."""
        return [child.name for child in list(self._children) if child.state is not ChildState.READY]

    @property
    def workers(self) -> list[Worker]:
        """The workers that are ready and may have parked records."""
        return [
            Worker(child.name, child.pid, child.service.where)
            for child in list(self._children)
            if child.name.removesuffix("-2") in PARKING and child.state is ChildState.READY and child.pid is not None
        ]

    def urls_of(self, app: str) -> dict[str, str]:
        """Return the URL of the health server of each worker of an app, by name, whatever state it is in."""
        names = (app, f"{app}-2")
        return {child.name: child.service.where for child in list(self._children) if child.name in names}

    def kill(self, name: str, act: Act, then: Callable[[bool], None]) -> None:
        """Kill a service; `then` is told whether it ran. It is started again."""
        self._orders.put(lambda: then(self._kill(name, act)))

    def freeze(self, name: str, seconds: float, then: Callable[[bool], None]) -> None:
        """Stop a service and lets it go on `seconds` later; `then` is told whether it ran."""
        self._orders.put(lambda: then(self._freeze(name, seconds)))

    def add(self, name: str, app: str) -> None:
        """A second worker of `app` joins."""
        self._orders.put(lambda: self._add(name, app))

    def remove(self, name: str) -> None:
        """A worker leaves by SIGTERM and is not started again."""
        self._orders.put(lambda: self._remove(name))

    def stop(self) -> None:
        """End `run`."""
        self._signals += 1
        self._wake.set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        super()._on_signal(number, frame)

    def _tick(self) -> None:
        while order := _next(self._orders):
            order()
        super()._tick()
        self._see_off()
        self._thaw(lambda until: time.monotonic() >= until)
        self.memory.look((child.name, child.pid) for child in self._children if child.pid is not None)

    def _kill(self, name: str, act: Act) -> bool:
        child = self._by_name.get(name)
        if child is None or not child.running:
            return False
        if act is Act.SIGKILL:
            self._cut_down(child)
        else:
            self._tell_to_end(child)
        return True

    def _freeze(self, name: str, seconds: float) -> bool:
        child = self._by_name.get(name)
        if child is None or child.state is not ChildState.READY or not _signalled(child, signal.SIGSTOP):
            return False
        self._frozen[name] = (child, time.monotonic() + seconds)
        return True

    def _thaw(self, over: Callable[[float], bool]) -> None:
        """Let those go on whose time is over. One that was killed meanwhile needs no more."""
        for name, (child, until) in list(self._frozen.items()):
            if over(until):
                _signalled(child, signal.SIGCONT)
                del self._frozen[name]

    def _cut_down(self, child: Child) -> None:
        self.log.wanted[child.name] = frozenset({_KILLED})
        child.kill()

    def _tell_to_end(self, child: Child) -> None:
        # What is still starting may not have a handler for the signal yet.
        early = {"was killed by SIGTERM"} if child.state is ChildState.STARTING else set()
        self.log.wanted[child.name] = frozenset({_ended_by_sigterm(child.name)} | early)
        child.terminate()
        _signalled(child, signal.SIGCONT)  # one that is frozen would not hear of it
        self._leaving.append((child, time.monotonic() + LEAVE_SECONDS))

    def _add(self, name: str, app: str) -> None:
        for child in [child for child, _ in self._leaving if child.name == name]:
            self._cut_down(child)  # two with one instance id push each other out, which nobody promises to survive
            child.reap()
        model = self._by_name[app].service
        port = next(self.free)
        own = {
            "PIPELINE_INSTANCE_ID": "2",
            "PIPELINE_WORKER_PORT": str(port),
            "PIPELINE_DATA_DIR": str(self.directory / name),
        }
        where, ready = f"http://{LOOPBACK}:{port}", partial(http_ready, LOOPBACK, port)
        service = replace(model, name=name, env={**(model.env or {}), **own}, where=where, ready=ready)
        child = Child(service, self.directory / "logs" / f"{name}.log", None)
        self._children.append(child)
        self._by_name[name] = child

    def _remove(self, name: str) -> None:
        child = self._by_name.pop(name)
        self._children.remove(child)
        self._tell_to_end(child)

    def _see_off(self) -> None:
        """Kill what was told to end and has not; hears how those that left for good have ended."""
        for child, until in self._leaving:
            if child.running and time.monotonic() > until:
                self.log.deaths.append(Death(child.name, f"did not end within {LEAVE_SECONDS:.0f} s of SIGTERM", ()))
                self._cut_down(child)
            elif child not in self._children and child.observe() is ChildEvent.DIED:
                self.log.died(child.name, child.death_cause, child.log.path, child.last_lines(LAST_LINES), 1)
        self._leaving = [(child, until) for child, until in self._leaving if child.running]

    def _stop(self) -> None:
        self._thaw(lambda _: True)
        for child, _ in self._leaving:
            child.kill()
        super()._stop()


def _next(orders: SimpleQueue[Callable[[], None]]) -> Callable[[], None] | None:
    try:
        return orders.get_nowait()
    except Empty:
        return None


def _signalled(child: Child, number: signal.Signals) -> bool:
    """Signal the group of a child; False if it has no process. Each child leads a group of its own."""
    if child.pid is None:
        return False
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)
        return True
    return False


def _ended_by_sigterm(name: str) -> str:
    return f"ended with exit status {143 if name == 'kafka' else 0}"


def _environment(directory: Path, options: Options, sandbox_url: str, handler: str) -> Mapping[str, str]:
    """Nothing of the caller's own settings, so that a run depends on its options alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "PIPELINE_TENANTS": str(directory / "tenants.yaml"),
        "PIPELINE_SANDBOX_ACCOUNTS": str(directory / "accounts.json"),
        "PIPELINE_HANDLER": handler,
        "PIPELINE_RECONCILE_WINDOW": str(options.window),
        "PIPELINE_BLOCKED_AFTER": "3",
        "PIPELINE_SANDBOX_URL": sandbox_url,
        SWITCH: str(directory / "raising"),
    }


def _noisy_setup(gateways: Mapping[str, int]) -> Setup:
    urls = {tenant: f"http://{LOOPBACK}:{port}" for tenant, port in gateways.items()}
    return Setup((*NUMBERS, *NOISY), urls, {RAISING.tenant: RAISING_PATH})


def _adapted(service: Service) -> Service:
    if service.name == "redis":
        return replace(service, argv=[*service.argv, "--appendfsync", "always"])
    if service.name == "sandbox":
        return replace(service, argv=[*service.argv, "--status-batch", "20"])
    return service
