"""A worker process: its apps, their health server, and a single way to end.

An app that crashes ends the process at once, without another commit. Its unfinished records are delivered again to the
next process.
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

from pipeline import aiokafka_patches, event_loop
from pipeline.errors import ConfigurationError, Unavailable, WorkerMustStop
from pipeline.logging import get_logger
from pipeline.runtime.faust.app import PipelineApp
from pipeline.runtime.kafka.admin import group_members, max_batch_bytes
from pipeline.runtime.kafka.topic_guard import (
    load_retentions,
    require_installation,
    warn_of_unsafe_topics,
    watch_partition_counts,
)
from pipeline.runtime.process.health import HealthServer
from pipeline.runtime.process.watchdog import Watchdog
from pipeline.settings import Settings
from pipeline.topics.dead_letters import REASON_BYTES

log = get_logger(__name__)

Build = Callable[[], Awaitable[Sequence[PipelineApp]]]
"""Builds the apps inside the running event loop."""
INFRASTRUCTURE_FAILURES = (WorkerMustStop, KafkaError)
"""Causes of a crash that do not count against the records in progress."""
BROKER_TIMEOUT = 30.0
"""Timeout for the first answer of the broker at the start, in seconds."""
LEAVE_TIMEOUT = 2.0
"""Timeout for leaving the groups at the end, in seconds."""


def run(settings: Settings, build: Build) -> None:
    """Run until SIGTERM or Ctrl-C. Returns after a clean stop; a crash ends the process with status 1."""
    aiokafka_patches.install()
    _tune_garbage_collection()
    event_loop.use_everywhere()
    with asyncio.Runner() as runner:
        runner.run(_serve(settings, build))


async def _serve(settings: Settings, build: Build) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    apps = await build()
    _share_exclusive(apps)
    watchdog = Watchdog(settings.blocked_after, partial(_end_blocked, apps))
    watchdog.start()
    if not await _wait_for_topics(settings, apps, stop):
        return
    health = HealthServer(apps, settings.worker_host, settings.worker_port, settings.stuck_after)
    port = await health.start()
    log.info("worker_starting", apps=[app.conf.id for app in apps], health=f"http://{settings.worker_host}:{port}")
    for app in apps:
        app.on_startup_finished = partial(_log_ready, app)
    starting = [asyncio.create_task(_start(app)) for app in apps]
    watching = [
        asyncio.create_task(watch_partition_counts(settings, apps)),
        asyncio.create_task(_check_topic_settings(settings, apps, starting)),
    ]
    # A crash ends the process inside its task, also during the stop below. So only a stop ends this wait.
    crashes = [asyncio.create_task(_exit_on_crash(app, apps)) for app in apps]
    await asyncio.wait([*crashes, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    _exit_after(settings.handler_timeout + 15)
    log.info("worker_stopping")
    for task in watching:
        task.cancel()
    for app in apps:
        await app.rest()
    for app in apps:
        await app.stop()
    await health.stop()
    watchdog.stop()


def _share_exclusive(apps: Sequence[PipelineApp]) -> None:
    """Make a record that runs alone run alone among all apps of the process."""
    for app in apps:
        app.exclusive = apps[0].exclusive


def _tune_garbage_collection() -> None:
    """Collect garbage less often: walking a batch's hundred thousand live objects would cost a third."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


async def _wait_for_topics(settings: Settings, apps: Sequence[PipelineApp], stop: asyncio.Event) -> bool:
    """Return True once the topics are checked, or False if `stop` is set before. Raises if a check fails."""
    found = False
    try:
        found = await _load_installation(settings, apps, stop)
    finally:
        if not found:
            for app in apps:
                await app.release()
    return found


def _topics(apps: Sequence[PipelineApp]) -> set[str]:
    return {name for app in apps for name in app.topic_names}


async def _load_installation(settings: Settings, apps: Sequence[PipelineApp], stop: asyncio.Event) -> bool:
    """Check the topics, and load what the apps must know first. Retries while the broker does not answer.

    If workers ended at once and were restarted, they would take the CPU that a starting broker needs.
    """
    deadline = time.monotonic() + BROKER_TIMEOUT
    while not stop.is_set():
        try:
            installation = await require_installation(settings, _topics(apps))
            for app in apps:
                app.installation = installation
                await _require_instance_id(settings, app)
                await app.open()
            return True
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise
            log.warning("worker_waiting_for_broker", error=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
    return False


async def _require_instance_id(settings: Settings, app: PipelineApp) -> None:
    """Raise `ConfigurationError` if this worker was fenced twice in a row and a live one still has its instance id.

    A supervisor starts workers that end. Two of them with one instance id would evict each other for ever.
    """
    if not app.fenced.again:
        return
    prefix = f"{app.conf.id}-{settings.instance_id}-"
    if any(member.startswith(prefix) for member in await group_members(settings.kafka, app.conf.id)):
        raise ConfigurationError(
            f"another live worker of {app.conf.id} has the instance id {settings.instance_id}, and has ended this one "
            "twice: set another PIPELINE_INSTANCE_ID, or end that worker"
        )
    app.fenced.clear()


async def _check_topic_settings(
    settings: Settings, apps: Sequence[PipelineApp], starting: Iterable[asyncio.Future[None]]
) -> None:
    """Check and load the topics' settings. Runs after the start, so that no start after a crash waits for it."""
    await asyncio.wait(starting)
    await _warn_of_small_dead_letter_topics(settings, apps)
    await warn_of_unsafe_topics(settings, _topics(apps))
    await load_retentions(settings, apps)


async def _warn_of_small_dead_letter_topics(settings: Settings, apps: Sequence[PipelineApp]) -> None:
    """Warn of dead-letter topics with a smaller limit than their source: a dead letter too large blocks its flow."""
    pairs = [(source, letters) for app in apps for source, names in app.dead_letters.items() for letters in names]
    with suppress(Unavailable):
        bytes_of = await max_batch_bytes(settings.kafka, {name for pair in pairs for name in pair})
        for source, letters in pairs:
            needed = bytes_of.get(source, 0) + REASON_BYTES
            if bytes_of.get(letters, needed) < needed:
                log.warning(
                    "dead_letter_topic_too_small",
                    detail="a record may be too large for its dead letters: raise their topic's max.message.bytes",
                    topic=letters,
                    now=bytes_of[letters],
                    needed=needed,
                    source=source,
                )


async def _start(app: PipelineApp) -> None:
    """Start an app; crash it if that fails. Faust alone would leave it half started."""
    try:
        await app.start()
    except Exception as error:
        await app.crash(error)


async def _log_ready(app: PipelineApp) -> None:
    log.info("app_ready", app=app.conf.id, partitions=len(app.kafka_consumer.assignment()))


async def _exit_on_crash(app: PipelineApp, apps: Sequence[PipelineApp]) -> None:
    await app.wait_until_crashed()
    log.critical(
        "worker_crashed",
        detail="its unfinished records will be delivered again",
        app=app.conf.id,
        error=app.crash_cause(),
    )
    _leave_groups(apps, blameless=isinstance(app.crash_reason, INFRASTRUCTURE_FAILURES))
    _exit(1)


def _end_blocked(apps: Sequence[PipelineApp]) -> None:
    """End the process for a blocked event loop. Called in the watchdog's thread."""
    _leave_groups(apps, blameless=False)
    _exit(1)


def _leave_groups(apps: Sequence[PipelineApp], *, blameless: bool) -> None:
    """Leave the groups before exiting.

    Without LeaveGroup a group waits for this member: up to the rebalance timeout during a rebalance, else the session
    timeout. Blocks deliberately, so that this thread does nothing more meanwhile.
    """
    with suppress(Exception):  # an app may have no group yet
        leaving = [app.kafka_consumer.leave_group(blameless=blameless) for app in apps if app.started]
        concurrent.futures.wait(leaving, LEAVE_TIMEOUT)


def _exit_after(seconds: float) -> None:
    """End a stop that hangs. Nothing is lost, because nothing unfinished is ever committed."""
    timer = threading.Timer(seconds, _exit, [1])
    timer.daemon = True
    timer.start()


def _exit(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
