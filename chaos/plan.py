"""The plan of a run: which fault when, to whom. It follows from the seed alone, so a run can be had again."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

from chaos.accounts import ABSENT, HANGING, RAISING
from chaos.options import Options

WORKERS: Final = ("intake", "handlers", "messenger")
TARGETS: Final = (*WORKERS, "ingress", "kafka", "redis")
AGENTS: Final = "agents"
"""The worker of the agents beside the bot, if the run has some."""
FIRST: Final = 3.0
"""Seconds of undisturbed traffic before the first fault, so that kills meet work everywhere."""


FROZEN: Final = (30.0, 45.0)
"""Seconds that a frozen worker stands still: longer than `PIPELINE_SESSION_TIMEOUT` (25)."""


class Act(StrEnum):
    """An action."""

    SIGKILL = "SIGKILL"
    SIGTERM = "SIGTERM"
    FREEZE = "freeze"
    """SIGSTOP, and SIGCONT so many seconds later: longer than its group waits for it."""
    ADD = "add"
    """A second worker of an app joins."""
    REMOVE = "remove"
    """It leaves, by SIGTERM, for good."""
    ERROR = "error"
    """The provider fails so many messages (HTTP 500, 131000)."""
    THROTTLE = "throttle"
    """It says so often that a number is over its limit (130429)."""
    SILENCE = "silence"
    """It accepts so many messages and never answers."""
    LATENCY = "latency"
    """It answers so many seconds late."""
    REFUSE = "refuse"
    """A gateway takes no connections for so many seconds."""
    UNAVAILABLE = "503"
    """A gateway answers 503 for so many seconds."""
    HANG = "hang"
    """A gateway takes connections and does not answer for so many seconds."""
    RAISE = "raise"
    """A tenant's hook raises for so many seconds."""
    MEND = "mend"
    """The trouble of a tenant is over."""


class Fault(NamedTuple):
    """One fault.

    Attributes:
        at: seconds since the traffic began.
        target: a service, `sandbox` for the provider's misbehaviour, or the tenant that has a trouble.
        amount: messages, or seconds of latency, of being frozen or of a trouble.
    """

    at: float
    act: Act
    target: str
    amount: float = 0

    @property
    def line(self) -> str:
        """The fault as a line of `--show-plan`."""
        return f"{self.at:8.2f} s  {self.act:<8} {self.target:<12} {self.amount or ''}"


KILLS: Final = (Act.SIGKILL, Act.SIGTERM)
TROUBLES: Final = (Act.REFUSE, Act.UNAVAILABLE, Act.HANG, Act.RAISE, Act.MEND)
SHIFT: Final = 0.04
"""Part of the run by which a trouble may begin later."""


def second(app: str) -> str:
    """Return the name of an app's second worker."""
    return f"{app}-2"


def plan(options: Options) -> list[Fault]:
    """Return all faults of a run, in order of time. Every kind of process is killed once before any is killed again."""
    workers = list(_workers(Random(f"{options.seed}:workers"), options.seconds))  # noqa: S311 (replayable, no secret)
    kills = _kills(Random(f"{options.seed}:kills"), options, workers)  # noqa: S311
    freezes = _freezes(Random(f"{options.seed}:freezes"), options)  # noqa: S311
    sandbox = _sandbox(Random(f"{options.seed}:sandbox"), options.seconds)  # noqa: S311
    troubles = _troubles(Random(f"{options.seed}:troubles"), options) if options.noisy else ()  # noqa: S311
    beside = _beside(Random(f"{options.seed}:beside"), options.seconds) if options.agents else ()  # noqa: S311
    return sorted([*workers, *kills, *freezes, *sandbox, *troubles, *beside])


def _times(rng: Random, every: float, until: float) -> Iterator[float]:
    at = FIRST + rng.uniform(0, every / 2)
    while at < until:
        yield round(at, 2)
        at += rng.uniform(0.6, 1.4) * every


def _kills(rng: Random, options: Options, workers: list[Fault]) -> Iterator[Fault]:
    waiting: list[str] = []
    for at in _times(rng, options.kill_every, options.seconds):
        if not waiting:
            waiting = rng.sample(TARGETS, len(TARGETS))
        kind, act = waiting.pop(), rng.choice((Act.SIGKILL, Act.SIGKILL, Act.SIGTERM))
        elsewhere = rng.random() < 0.5 and _has_second(kind, workers, at)
        yield Fault(at, act, second(kind) if elsewhere else kind)


def _freezes(rng: Random, options: Options) -> Iterator[Fault]:
    """Each app's first worker is frozen once before any is frozen again."""
    waiting: list[str] = []
    for at in _times(rng, options.freeze_every, options.seconds) if options.freeze_every else ():
        waiting = waiting or rng.sample(WORKERS, len(WORKERS))
        yield Fault(at, Act.FREEZE, waiting.pop(), round(rng.uniform(*FROZEN), 1))


def _has_second(kind: str, workers: list[Fault], at: float) -> bool:
    changes = [fault.act for fault in workers if fault.target == second(kind) and fault.at < at]
    return bool(changes) and changes[-1] is Act.ADD


def _workers(rng: Random, seconds: float) -> Iterator[Fault]:
    """Second workers come and go, no two changes of one app right behind each other."""
    present: set[str] = set()
    order: list[str] = []
    for at in _times(rng, 9.0, seconds):
        order = order or rng.sample(WORKERS, len(WORKERS))
        app = order.pop()
        yield Fault(at, Act.REMOVE if app in present else Act.ADD, second(app))
        present ^= {app}


def _sandbox(rng: Random, seconds: float) -> Iterator[Fault]:
    """Yield the errors. A message is given up after five errors 131000, so each of those is short and rare."""
    for at in _times(rng, 5.0, seconds):
        act = rng.choice((Act.ERROR, Act.THROTTLE, Act.SILENCE, Act.LATENCY))
        if act is Act.LATENCY:
            yield Fault(at, act, "sandbox", round(rng.uniform(0.05, 0.8), 2))
            yield Fault(round(at + rng.uniform(1, 4), 2), act, "sandbox", 0)
        else:
            yield Fault(at, act, "sandbox", rng.randint(1, 3 if act is Act.ERROR else 10))


def _beside(rng: Random, seconds: float) -> Iterator[Fault]:
    """Yield the faults of the agents' workers: on top of all others, which are as without them."""
    yield Fault(round(0.4 * seconds, 2), Act.ADD, second(AGENTS))
    yield Fault(round(0.7 * seconds, 2), Act.REMOVE, second(AGENTS))
    for at in _times(rng, 12.0, seconds):
        yield Fault(at, rng.choice((Act.SIGKILL, Act.SIGKILL, Act.SIGTERM)), AGENTS)


def _troubles(rng: Random, options: Options) -> Iterator[Fault]:
    """Yield the troubles of the noisy tenants: all at once in the middle of the run, and over before its end."""
    yield from _trouble(rng, options.seconds, RAISING.tenant, (Act.RAISE, 0.15, 0.55))
    yield from _trouble(rng, options.seconds, ABSENT.tenant, (Act.REFUSE, 0.2, 0.45), (Act.UNAVAILABLE, 0.45, 0.65))
    yield from _trouble(rng, options.seconds, HANGING[0].tenant, (Act.HANG, 0.3, 0.6))


def _trouble(rng: Random, seconds: float, tenant: str, *parts: tuple[Act, float, float]) -> Iterator[Fault]:
    shift, end = rng.uniform(0, SHIFT), parts[-1][2]
    for act, begins, ends in parts:
        yield Fault(round((begins + shift) * seconds, 2), act, tenant, round((ends - begins) * seconds, 1))
    yield Fault(round((end + shift) * seconds, 2), Act.MEND, tenant)
