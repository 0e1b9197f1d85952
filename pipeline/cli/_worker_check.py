"""The doctor's check of the workers: what each says about itself at `/readyz`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.cli._checks import CheckState, Finding
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from pipeline.settings import Settings


async def check_workers(settings: Settings) -> list[Finding]:
    """Warn of workers that are not ready, of tenants whose records fail, and of parking without room."""
    from pipeline.lag.workers import ask_each, read, require_url

    answers: dict[str, Mapping[str, Any]] = {}

    async def ask(session: ClientSession, url: str) -> None:
        import orjson

        answers[url] = dict(orjson.loads(await read(session, f"{url}/readyz", 503)))

    try:
        for url in settings.workers:
            require_url(url)
    except PipelineError:
        return []  # the check of the lag says it
    silent = await ask_each(settings.workers, ask)
    missing = [Finding(CheckState.WARNING, "workers", f"{url}: {reason}") for url, reason in silent.items()]
    found = [text for url in sorted(answers) for text in describe(answers[url])]
    faults = [Finding(CheckState.WARNING, "workers", text) for text in dict.fromkeys(found)]
    if answers and not (missing or faults):
        return [Finding(CheckState.OK, "workers", f"{len(answers)} ready")]
    return missing + faults


def describe(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the faults in a worker's answer, with what to do."""
    for app in answer.get("waiting", ()):
        yield f"{app} is not ready: its partitions move, or its tables recover"
    for app in answer.get("other_version", ()):
        yield f"{app} waits until the workers of an older version have left its group: end those"
    for app, flows in answer.get("stopped", {}).items():
        for topic, cause in flows.items():
            yield f"{app} takes nothing from {topic} ({cause}): end the cause"
    for app, flows in answer.get("failing_tenants", {}).items():
        for tenants in flows.values():
            for tenant, cause in tenants.items():
                yield f"{app}: the records of tenant {tenant} fail ({cause}) and wait: correct its handler or its host"
    for app, topics in answer.get("parking_full", {}).items():
        for topic in topics:
            yield f"{app} can park no more of {topic}: see `pipeline parked`, or raise PIPELINE_PARKING_MAX_BYTES"
