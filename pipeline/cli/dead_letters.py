"""`pipeline dead-letters {list,show,redrive,drop}`: find, show and resolve dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer

from pipeline.cli._dead_letter_options import (
    NAMES,
    DryRun,
    ErrorType,
    Ids,
    Reveal,
    Since,
    Stage,
    Tenant,
    Until,
    to_moment,
    to_name,
)
from pipeline.errors import UsageError
from pipeline.topics.agents import PREFIX as AGENTS
from pipeline.topics.catalogue import STAGES
from pipeline.topics.dead_letters import PREFIX, DeadLetter, DeadLetterId, DeadLetterState, RecordPosition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.dead_letters.find import DeadLetterFilter, FoundDeadLetter
    from pipeline.dead_letters.resolve import DeadLetterResolver, NotRedriven
    from pipeline.replay.reader import TopicReader

Result = TypeVar("Result")
Printer: TypeAlias = "Callable[[int, FoundDeadLetter], None]"
CHUNK = 500
CHUNK_BYTES = 8 * 1024 * 1024
"""Size of a batch, in dead letters (`CHUNK`) and bytes: it is published before its resolutions are."""

app = typer.Typer(help="Find, show, redrive and drop dead letters.", no_args_is_help=True)


class StateFilter(StrEnum):
    """Values of `--state`."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DROPPED = "dropped"
    ALL = "all"


@app.command("list")
def list_(
    ids: Ids = None,
    *,
    stage: Stage = None,
    tenant: Tenant = None,
    error_type: ErrorType = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[StateFilter, typer.Option(help="Filter by state.")] = StateFilter.OPEN,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number to show; all are counted.")] = 100,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line; the count goes to standard error.")
    ] = False,
    reveal: Reveal = False,
) -> None:
    """List open dead letters by stage, oldest first within a partition."""
    states = () if state is StateFilter.ALL else (DeadLetterState(state.value),)
    filters = replace(_filters(tenant, error_type, since, until, ids), states=states)
    count = _run(_list(_named_stages(filters, stage), filters, limit, _printer(json, reveal)))
    typer.echo(_summary(count, limit, state), err=json)


@app.command()
def show(
    dead_letter: Annotated[str, typer.Argument(metavar="ID", help=f"{NAMES}.")],
    reveal: Reveal = False,
) -> None:
    """Show dead letters completely: error, origin, resolutions, headers and bytes.

    A trace or a record may have several dead letters; all of them are shown.
    """
    from pipeline.dead_letters.find import history
    from pipeline.dead_letters.format import page

    filters = _filters(None, None, None, None, [dead_letter])

    async def look(reader: TopicReader, partitions: dict[str, int]) -> list[str]:
        lines: list[str] = []
        async for found in _find(reader, partitions, filters):
            resolutions = await history(reader, found.letter.id)
            lines += [""] if lines else []
            lines += page(found.letter, found.state, resolutions, reveal=reveal)
        if not lines:
            raise UsageError(
                f"there is no dead letter {dead_letter}: `pipeline dead-letters list --state all` lists all"
            )
        return lines

    for line in _run(_reading(_named_stages(filters, None), look)):
        typer.echo(line)


@app.command()
def redrive(
    ids: Ids = None,
    *,
    stage: Stage = None,
    tenant: Tenant = None,
    error_type: ErrorType = None,
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
) -> None:
    """Publish open dead letters unchanged to their origin: all, those that match the filters, or the named ones.

    A dead letter is redriven once, however often this runs. A dropped one is redriven only if it is named.
    """
    filters = _filters(tenant, error_type, since, until, ids)
    _resolve(ResolveRun(DeadLetterState.REDRIVEN, filters, dry_run), stage)


@app.command()
def drop(
    ids: Ids = None,
    *,
    stage: Stage = None,
    tenant: Tenant = None,
    error_type: ErrorType = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="All open dead letters.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Mark open dead letters as dropped. Nothing is deleted: name a dropped one to redrive it after all."""
    if not (ids or stage or tenant or error_type or since or until or everything):
        raise typer.BadParameter("name dead letters or a filter, or use --all for all open ones")
    filters = _filters(tenant, error_type, since, until, ids)
    _resolve(ResolveRun(DeadLetterState.DROPPED, filters, dry_run), stage)


@dataclass(slots=True)
class ResolveRun:
    """One run of `redrive` or `drop`, with its counts.

    Attributes:
        state: new state of the dead letters.
        already: number of dead letters that were resolved before.
        failed: number of dead letters that can't be redriven.
    """

    state: DeadLetterState
    filters: DeadLetterFilter
    dry_run: bool
    done: int = 0
    already: int = 0
    failed: int = 0

    def applies_to(self, found: FoundDeadLetter) -> bool:
        """Return True if the run changes a dead letter: an open one, or a dropped one that is named for a redrive."""
        return found.state is DeadLetterState.OPEN or (
            self.filters.by_name and found.state is DeadLetterState.DROPPED is not self.state
        )

    def summary(self) -> str:
        counts = f"{self.done} {'would be ' if self.dry_run else ''}{self.state}"
        counts += f", {self.already} decided before" if self.already else ""
        return counts + (f", {self.failed} not redriven" if self.failed else "")


def _resolve(run: ResolveRun, stage: str | None) -> None:
    if not run.filters.by_name:
        run.filters = replace(run.filters, states=(DeadLetterState.OPEN,))
    stages = _named_stages(run.filters, stage)
    try:
        missing = _run(_reading(stages, lambda reader, partitions: _resolve_all(reader, partitions, run)))
    finally:
        if run.done:  # also if an error ended the run
            typer.echo(run.summary())
    if not run.done:
        typer.echo(run.summary())
    for letter in missing:
        typer.echo(f"there is no such dead letter: {letter}", err=True)
    if missing or run.failed:
        raise typer.Exit(1)


async def _resolve_all(reader: TopicReader, partitions: dict[str, int], run: ResolveRun) -> list[str]:
    """Resolve the dead letters in batches; return the named ones that do not exist."""
    filters = run.filters
    missing = {*map(str, filters.ids), *map(str, filters.origins), *filters.traces}
    async with _open_resolver(run) as resolver:
        chunk: list[DeadLetter] = []
        async for found in _find(reader, partitions, filters):
            missing -= {str(found.letter.id), str(found.letter.origin), found.letter.trace_id or ""}
            if not run.applies_to(found):
                run.already += 1
                continue
            chunk.append(found.letter)
            if len(chunk) >= CHUNK or sum(len(letter.value) for letter in chunk) >= CHUNK_BYTES:
                await _resolve_batch(resolver, chunk, run)
                chunk = []
        await _resolve_batch(resolver, chunk, run)
    return sorted(missing)


def _open_resolver(run: ResolveRun) -> AbstractAsyncContextManager[DeadLetterResolver | None]:
    """Open a resolver; None in a dry run, which can't publish."""
    from pipeline.cli._setup import current_user
    from pipeline.dead_letters.resolve import open_resolver

    return nullcontext() if run.dry_run else open_resolver(_kafka(), current_user())


async def _resolve_batch(resolver: DeadLetterResolver | None, letters: list[DeadLetter], run: ResolveRun) -> None:
    from pipeline.dead_letters.format import row

    failed: list[NotRedriven] = []
    if resolver is None:
        for letter in letters:
            typer.echo(row(letter, DeadLetterState.OPEN))
    else:
        failed = await (resolver.drop(letters) if run.state is DeadLetterState.DROPPED else resolver.redrive(letters))
    for letter, reason in failed:
        typer.echo(f"{letter.id}: {reason}", err=True)
    run.done += len(letters) - len(failed)
    run.failed += len(failed)


def _printer(json: bool, reveal: bool) -> Printer:
    """Return a function that prints a dead letter with its number, from 0."""
    from pipeline.dead_letters.format import as_json, heading, row

    def show_row(number: int, found: FoundDeadLetter) -> None:
        if not number:
            typer.echo(heading())
        typer.echo(row(*found))

    def show_json(_: int, found: FoundDeadLetter) -> None:
        typer.echo(as_json(*found, reveal=reveal))

    return show_json if json else show_row


async def _list(stages: Collection[str], filters: DeadLetterFilter, limit: int, show_letter: Printer) -> int:
    """Print up to `limit` dead letters; return the number of all."""

    async def run(reader: TopicReader, partitions: dict[str, int]) -> int:
        count = 0
        async for found in _find(reader, partitions, filters):
            if count < limit:
                show_letter(count, found)
            count += 1
        return count

    return await _reading(stages, run)


def _summary(count: int, limit: int, state: StateFilter) -> str:
    what = "" if state is StateFilter.ALL else f" {state.value}"
    return f"{count}{what}" + (f", {limit} of them shown: --limit shows more" if count > limit else "")


async def _find(
    reader: TopicReader, partitions: dict[str, int], filters: DeadLetterFilter
) -> AsyncIterator[FoundDeadLetter]:
    from pipeline.dead_letters.find import find

    for stage, count in partitions.items():
        own = frozenset(letter for letter in filters.ids if letter.stage == stage)
        async for found in find(reader, stage, range(count), replace(filters, ids=own)):
            yield found


async def _reading(stages: Collection[str], use: Callable[[TopicReader, dict[str, int]], Awaitable[Result]]) -> Result:
    """Return the result of `use`, called with a reader and the partition counts of the stages' topics."""
    from pipeline.replay.reader import open_reader

    partitions = await _partition_counts(stages)
    async with open_reader(_kafka()) as reader:
        return await use(reader, partitions)


async def _partition_counts(stages: Collection[str]) -> dict[str, int]:
    from pipeline.runtime.kafka import admin

    there = await admin.describe(_kafka(), [PREFIX + stage for stage in stages])
    if AGENTS in stages:  # also of agents that are not in the tenants file any more
        of_agents = await admin.names(_kafka(), PREFIX + AGENTS)
        there |= await admin.describe(_kafka(), of_agents)
        stages = [each for each in (*stages, *(name.removeprefix(PREFIX) for name in of_agents)) if each != AGENTS]
    missing = [stage for stage in stages if PREFIX + stage not in there]
    if strange := [stage for stage in missing if stage not in STAGES]:
        raise typer.BadParameter(f"there is no stage {strange[0]!r}: choose from {', '.join(STAGES)}, {AGENTS}ID")
    if missing:
        raise UsageError(f"Kafka has no topic {PREFIX}{missing[0]}: run `pipeline topics create`")
    return {stage: there[PREFIX + stage].partitions for stage in stages}


def _named_stages(filters: DeadLetterFilter, stage: str | None) -> Collection[str]:
    """Return the stages to search: an id contains its stage; a record or a trace may have failed in any stage."""
    if not filters.ids or filters.origins or filters.traces:
        own = {letter.stage for letter in filters.ids} - set(STAGES)
        return (stage,) if stage else (*STAGES, AGENTS, *sorted(each for each in own if not each.startswith(AGENTS)))
    return sorted({letter.stage for letter in filters.ids if stage in (None, letter.stage)})


def _filters(
    tenant: str | None, error_type: str | None, since: str | None, until: str | None, ids: list[str] | None = None
) -> DeadLetterFilter:
    from pipeline.dead_letters.find import DeadLetterFilter

    names = [to_name(each) for each in ids or ()]
    return DeadLetterFilter(
        tenant=tenant,
        error_type=error_type,
        since=to_moment(since) if since else None,
        until=to_moment(until) if until else None,
        ids=frozenset(each for each in names if isinstance(each, DeadLetterId)),
        origins=frozenset(each for each in names if isinstance(each, RecordPosition)),
        traces=frozenset(each for each in names if isinstance(each, str)),
    )


def _kafka() -> str:
    from pipeline.settings import load_settings

    return load_settings().kafka


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    from pipeline.cli._setup import configured
    from pipeline.cli.topics import quiet_client

    quiet_client()
    configured()
    return asyncio.run(work)
