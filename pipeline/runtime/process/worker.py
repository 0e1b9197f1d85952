"""A worker process: apps, their health server, and one way out.

An app that crashes takes the process with it, at once and without another commit: what it had not finished is
delivered again to whoever comes next.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from aiokafka.errors import KafkaError

from pipeline import event_loop
from pipeline.errors import LogTruncated, Unacknowledged, Unavailable
from pipeline.logging import get_logger
from pipeline.runtime.faust.app import PipelineApp
from pipeline.runtime.kafka.admin import largest
from pipeline.runtime.kafka.client_tasks import ClientLost
from pipeline.runtime.kafka.topic_guard import (
    PartitionsChanged,
    learn_retentions,
    require,
    warn_of_unsafe_topics,
    watch_partitions,
)
from pipeline.runtime.process.health import Health
from pipeline.runtime.process.watchdog import Watchdog
from pipeline.settings import Settings
from pipeline.topics.dead_letters import REASON_BYTES

log = get_logger(__name__)

Build = Callable[[], Awaitable[Sequence[PipelineApp]]]
"""Makes the apps, inside the running loop."""
OUTSIDE = (Unacknowledged, ClientLost, KafkaError, LogTruncated, PartitionsChanged)
"""Ends that say nothing about the records in hand."""
BROKER_SECONDS = 30.0
"""How long a start waits for a broker that does not answer."""
LEAVE_SECONDS = 2.0
"""How long an end waits for the broker to hear of it."""


def run(settings: Settings, build: Build) -> None:
    """Runs until SIGTERM or Ctrl-C. Returns after a clean stop; a crash ends the process with status 1."""
    _tune_garbage_collection()
    event_loop.use_everywhere()
    with asyncio.Runner() as runner:
        runner.run(_serve(settings, build))


async def _serve(settings: Settings, build: Build) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    apps = await build()
    _run_alone_together(apps)
    watchdog = Watchdog(settings.blocked_after, partial(_end_blocked, apps))
    watchdog.start()
    if not await _may_start(settings, apps, stop):
        return
    health = Health(apps, settings.worker_host, settings.worker_port, settings.stuck_after)
    port = await health.start()
    log.info("worker starts", apps=[app.conf.id for app in apps], health=f"http://{settings.worker_host}:{port}")
    for app in apps:
        app.on_startup_finished = partial(_announce, app)
    starting = [asyncio.ensure_future(_start(app)) for app in apps]
    watching = [asyncio.create_task(watch_partitions(settings, apps))]
    watching.append(asyncio.create_task(_look_at_topics(settings, apps, starting)))
    crashed = [asyncio.ensure_future(_crash(app, apps)) for app in apps]
    await asyncio.wait([*crashed, *starting, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    while not stop.is_set():
        await asyncio.wait([*crashed, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    _end_the_process_after(settings.handler_timeout + 15)
    log.info("worker stops")
    for task in watching:
        task.cancel()
    for app in apps:
        await app.rest()
    for app in apps:
        await app.stop()
    await health.stop()
    watchdog.stop()


def _run_alone_together(apps: Sequence[PipelineApp]) -> None:
    """A record that runs alone is alone among all apps of the process."""
    for app in apps:
        app.exclusive = apps[0].exclusive


def _tune_garbage_collection() -> None:
    """A batch of records is a hundred thousand live objects without a cycle: looking for one in them costs a third."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


async def _may_start(settings: Settings, apps: Sequence[PipelineApp], stop: asyncio.Event) -> bool:
    """Whether the topics are there; False when told to stop before that. Raises if they are not, or no broker is."""
    found = False
    try:
        found = await _found_topics(settings, apps, stop)
    finally:
        if not found:
            for app in apps:
                await app.release()
    return found


def _topics(apps: Sequence[PipelineApp]) -> set[str]:
    return {name for app in apps for name in app.topic_names}


async def _found_topics(settings: Settings, apps: Sequence[PipelineApp], stop: asyncio.Event) -> bool:
    """A broker that does not answer gets some time: dying at once and starting again is what keeps it from starting."""
    deadline = time.monotonic() + BROKER_SECONDS
    while not stop.is_set():
        try:
            installation = await require(settings, _topics(apps))
            for app in apps:
                app.installation = installation
            return True
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise
            log.warning("worker waits for the broker", error=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
    return False


async def _look_at_topics(
    settings: Settings, apps: Sequence[PipelineApp], starting: Iterable[asyncio.Future[None]]
) -> None:
    """Warns of the topics' settings and learns them. No start after a crash waits for that."""
    await asyncio.wait(starting)
    await _warn_of_narrow_topics(settings, apps)
    await warn_of_unsafe_topics(settings, _topics(apps))
    await learn_retentions(settings, apps)


async def _warn_of_narrow_topics(settings: Settings, apps: Sequence[PipelineApp]) -> None:
    """A dead letter that its topic refuses holds up its flow until there is room: better told before."""
    pairs = [(source, letters) for app in apps for source, names in app.dead_letters.items() for letters in names]
    with suppress(Unavailable):
        bytes_of = await largest(settings.kafka, {name for pair in pairs for name in pair})
        for source, letters in pairs:
            needed = bytes_of.get(source, 0) + REASON_BYTES
            if bytes_of.get(letters, needed) < needed:
                log.warning(
                    "a record may be too large for its dead letters: raise their topic's max.message.bytes",
                    topic=letters,
                    now=bytes_of[letters],
                    needed=needed,
                    source=source,
                )


async def _start(app: PipelineApp) -> None:
    """An app that can't be started has crashed; Faust by itself would leave it half started."""
    try:
        await app.start()
    except Exception as error:
        await app.crash(error)


async def _announce(app: PipelineApp) -> None:
    log.info("app ready", app=app.conf.id, partitions=len(app.list_consumer.assignment()))


async def _crash(app: PipelineApp, apps: Sequence[PipelineApp]) -> None:
    await app.wait_until_crashed()
    log.critical(
        "worker ends: what it had not finished will be delivered again", app=app.conf.id, error=app.crash_cause()
    )
    _leave(apps, blameless=isinstance(app.crash_reason, OUTSIDE))
    _exit(1)


def _end_blocked(apps: Sequence[PipelineApp]) -> None:
    """Called in a thread beside the loop."""
    _leave(apps, blameless=False)
    _exit(1)


def _leave(apps: Sequence[PipelineApp], *, blameless: bool) -> None:
    """Who dies without a word is waited for by its group: a minute at a rebalance, a session otherwise.

    It blocks, on purpose: nothing more may be done here meanwhile.
    """
    with suppress(Exception):  # there may be no group yet
        leaving = [app.list_consumer.leave_group(blameless=blameless) for app in apps if app.started]
        concurrent.futures.wait(leaving, LEAVE_SECONDS)


def _end_the_process_after(seconds: float) -> None:
    """A stop that hangs is ended: nothing unfinished is ever committed, so this loses nothing."""
    timer = threading.Timer(seconds, _exit, [1])
    timer.daemon = True
    timer.start()


def _exit(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
