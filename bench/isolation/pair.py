"""One pair: the other one's time in the idle system, and then beside the crowd, in one stack."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from bench import webhooks
from bench.accounts import UNLIMITED, Number, neighbours
from bench.broker import PARTITIONS, committed, create_topics, load, size
from bench.commands import maker
from bench.end_to_end.candidates import OURS
from bench.end_to_end.stack import Stack, sandbox, stack
from bench.isolation.crowds import Crowd, Gateway
from bench.isolation.other import Busy, Campaign, Conversations, Other
from bench.lab import Lab, lab
from bench.load.task import Load, posting
from pipeline.errors import PipelineError
from pipeline.runtime.flows.keyed_executor import LONG_WAIT
from pipeline.topics.catalogue import COMMANDS_BULK, HANDLERS, MESSENGER, RAW, events
from pipeline.topics.records import Record

TENANT: Final = "crowd"
ACCOUNT: Final = next(neighbours(webhooks.ACCOUNT, PARTITIONS))
WARM_UP: Final = 8.0
"""Seconds. A broker that has just started compiles itself, and takes a core for it."""


class Progress(NamedTuple):
    """Records that the workers' groups have left behind, and rows that they have written of parked ones."""

    committed: int
    rows: int


QUIET: Final = Progress(300, 2_000)
"""At most so much per second once the crowd has settled: what can be done or parked is. Much more is parked before."""
QUIET_LOOKS: Final = 3
"""Looks, one a second, at which that must be so, one behind the other."""
PATIENCE: Final = 120.0
"""Seconds for the crowd's webhooks to become events, and for the crowd to settle."""
GROUPS: Final = (MESSENGER, f"{HANDLERS}-default")
SETTLE: Final = LONG_WAIT + 5.0
"""Seconds from the crowd's arrival on. What waits in memory for longer is parked by then, which is done once."""
FOR_EVER: Final = 600.0
FIRST_COMMAND: Final = 1_000_000_000
"""Number of the crowd's first command, beyond those of the other one: a command's id follows from it."""
EVENTS: Final = events("default").name


@dataclass(frozen=True, slots=True)
class Measured:
    """One timed load of the other one.

    Attributes:
        times: ms of each input.
        cores: how many cores of the machine were busy meanwhile.
        processes: seconds of CPU per second of each process of the stack.
    """

    times: list[float]
    cores: float
    processes: dict[str, float]


@dataclass(frozen=True, slots=True)
class Pair:
    idle: Measured
    crowded: Measured


def measure(crowd: Crowd, seconds: float) -> Pair:
    """Measure on a broker of its own, so that nobody recovers what another has left."""
    with ExitStack() as stops:
        place = stops.enter_context(lab())
        asyncio.run(create_topics(place.bootstrap))
        url = stops.enter_context(_gateway(place, crowd.gateway))
        limits = {**UNLIMITED, **({"messages_per_second": crowd.per_second} if crowd.per_second else {})}
        number = Number(TENANT, ACCOUNT, url, crowd.handler, limits)
        started = stops.enter_context(stack(place, OURS, [number]))
        other = Campaign(place, started, crowd) if crowd.campaign else Conversations(place, started, crowd, ACCOUNT)
        other.measure(WARM_UP)
        idle = _measured(started, other, seconds)
        with _crowded(place, started, crowd):
            return Pair(idle, _measured(started, other, seconds))


def _measured(started: Stack, other: Other, seconds: float) -> Measured:
    busy, before, began = Busy(), started.cpu_seconds(), time.monotonic()
    times = other.measure(seconds)
    cores, lasted = busy.cores(), time.monotonic() - began
    spent = started.cpu_seconds()
    return Measured(times, cores, {name: (spent[name] - before[name]) / lasted for name in spent})


@contextmanager
def _gateway(place: Lab, gateway: Gateway) -> Iterator[str]:
    match gateway:
        case Gateway.ANSWERS:
            with sandbox(place, ACCOUNT) as url:
                yield url
        case Gateway.REFUSES:
            yield f"http://127.0.0.1:{place.port()}"
        case Gateway.HANGS:  # the kernel takes connections and requests, and nobody reads them
            with closing(socket.create_server(("127.0.0.1", place.port()), backlog=512)) as server:
                yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def _crowded(place: Lab, started: Stack, crowd: Crowd) -> Iterator[None]:
    """Let the crowd's records wait, and let further ones come meanwhile."""
    if crowd.campaign:
        numbers = range(FIRST_COMMAND, FIRST_COMMAND + crowd.waiting)
        asyncio.run(load(place.bootstrap, COMMANDS_BULK.name, numbers, maker(TENANT, ACCOUNT)))
    else:
        asyncio.run(_webhooks(place.bootstrap, crowd))
    with ExitStack() as stops:
        if crowd.rate:
            senders = (webhooks.contact(0),) if crowd.people == 1 else ()
            more = Load(started.port, crowd.waiting, FOR_EVER, rate=crowd.rate, account=ACCOUNT, senders=senders)
            stops.enter_context(posting(place, more))
            time.sleep(SETTLE)
        asyncio.run(_settled(place.bootstrap))
        yield


async def _webhooks(bootstrap: str, crowd: Crowd) -> None:
    """Put the crowd's webhooks behind the ingress, and return when all of them are events."""
    there, deadline = await size(bootstrap, EVENTS), time.monotonic() + PATIENCE
    await load(bootstrap, RAW.name, range(crowd.waiting), partial(_webhook, crowd))
    while await size(bootstrap, EVENTS) < there + crowd.waiting:
        if time.monotonic() > deadline:
            raise PipelineError(f"{crowd.waiting:,} webhooks did not become events in {PATIENCE:.0f} s")
        await asyncio.sleep(0.2)


async def _settled(bootstrap: str) -> None:
    """Return once nothing is in a hurry any more. A burst is read first, and that is not what is measured."""
    quiet, before, deadline = 0, await _progress(bootstrap), time.monotonic() + PATIENCE
    while quiet < QUIET_LOOKS:
        if time.monotonic() > deadline:
            raise PipelineError(f"the crowd did not settle in {PATIENCE:.0f} s")
        await asyncio.sleep(1.0)
        now = await _progress(bootstrap)
        is_quiet = all(after - earlier < most for after, earlier, most in zip(now, before, QUIET, strict=True))
        quiet, before = (quiet + 1 if is_quiet else 0), now


async def _progress(bootstrap: str) -> Progress:
    parked = [await size(bootstrap, f"{group}-parked-changelog") for group in GROUPS]
    return Progress(await committed(bootstrap, GROUPS), sum(parked))


def _webhook(crowd: Crowd, number: int, topic: str) -> Record:
    sender = webhooks.contact(0 if crowd.people == 1 else number)
    return webhooks.record(number, topic, ACCOUNT, TENANT, sender)
