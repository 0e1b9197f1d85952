"""`pipeline dead-letters {list,show,redrive,drop}`: what could not be processed, and what becomes of it."""

from __future__ import annotations

import asyncio
import getpass
import socket
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
from pipeline.topics.catalogue import STAGES
from pipeline.topics.dead_letters import PREFIX, DeadLetter, DeadLetterId, DeadLetterState, RecordPosition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.dead_letters.find import DeadLetterFilter, FoundDeadLetter
    from pipeline.dead_letters.resolve import DeadLetterResolver, NotRedriven
    from pipeline.replay.topic_reader import TopicReader

Answer = TypeVar("Answer")
Printer: TypeAlias = "Callable[[int, FoundDeadLetter], None]"
CHUNK = 500
CHUNK_BYTES = 8 * 1024 * 1024
"""What is published before it is marked: letters at most, bytes about."""

app = typer.Typer(help="Show, redrive and drop what could not be processed.", no_args_is_help=True)


class Wanted(StrEnum):
    """What `--state` takes."""

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
    state: Annotated[Wanted, typer.Option(help="How they stand.")] = Wanted.OPEN,
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most; all are counted.")] = 100,
    json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line; the count goes to standard error.")
    ] = False,
    reveal: Reveal = False,
) -> None:
    """Show the letters that are open, stage by stage, oldest first within a partition."""
    states = () if state is Wanted.ALL else (DeadLetterState(state.value),)
    filters = replace(_filters(tenant, error_type, since, until, ids), states=states)
    count = _ask(_list(_named_stages(filters, stage), filters, limit, _printer(json, reveal)))
    typer.echo(_counted(count, limit, state), err=json)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help=f"{NAMES}.")],
    reveal: Reveal = False,
) -> None:
    """Show everything about a letter: why, where from, what was decided, its headers and its bytes.

    A trace or a record may have several letters; all of them are shown.
    """
    from pipeline.dead_letters.find import history
    from pipeline.dead_letters.format import page

    filters = _filters(None, None, None, None, [letter])

    async def look(reader: TopicReader, places: dict[str, int]) -> list[str]:
        lines: list[str] = []
        async for found in _find(reader, places, filters):
            marks = await history(reader, found.letter.id)
            lines += [""] if lines else []
            lines += page(found.letter, found.state, marks, reveal=reveal)
        if not lines:
            raise UsageError(
                f"there is no letter {letter}: `pipeline dead-letters list --state all` shows what there is"
            )
        return lines

    for line in _ask(_reading(_named_stages(filters, None), look)):
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
    """Publish open letters to where they came from, as they were: all, those that pass, or those that are named.

    A letter is redriven once, however often this runs. One that was dropped is redriven only if it is named.
    """
    filters = _filters(tenant, error_type, since, until, ids)
    _decide(Order(DeadLetterState.REDRIVEN, filters, dry_run), stage)


@app.command()
def drop(
    ids: Ids = None,
    *,
    stage: Stage = None,
    tenant: Tenant = None,
    error_type: ErrorType = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Record that open letters are worth nothing. Nothing is deleted: name a letter to redrive it after all."""
    if not (ids or stage or tenant or error_type or since or until or everything):
        raise typer.BadParameter("name letters or a filter, or say --all for every letter that is open")
    filters = _filters(tenant, error_type, since, until, ids)
    _decide(Order(DeadLetterState.DROPPED, filters, dry_run), stage)


@dataclass(slots=True)
class Order:
    """One run of `redrive` or `drop`, and what came of it.

    Attributes:
        state: what letters become.
        already: named letters that can't become it any more.
        refused: letters that have no place to go back to.
    """

    state: DeadLetterState
    filters: DeadLetterFilter
    dry_run: bool
    done: int = 0
    already: int = 0
    refused: int = 0

    def takes(self, found: FoundDeadLetter) -> bool:
        """Open ones; a named one that was dropped can be redriven."""
        return found.state is DeadLetterState.OPEN or (
            self.filters.by_name and found.state is DeadLetterState.DROPPED is not self.state
        )

    def summary(self) -> str:
        counts = f"{self.done} {'would be ' if self.dry_run else ''}{self.state}"
        counts += f", {self.already} decided before" if self.already else ""
        return counts + (f", {self.refused} refused" if self.refused else "")


def _decide(order: Order, stage: str | None) -> None:
    if not order.filters.by_name:
        order.filters = replace(order.filters, states=(DeadLetterState.OPEN,))
    stages = _named_stages(order.filters, stage)
    try:
        missing = _ask(_reading(stages, lambda reader, places: _carry_out(reader, places, order)))
    finally:
        if order.done:  # also of what ended half-way
            typer.echo(order.summary())
    if not order.done:
        typer.echo(order.summary())
    for letter in missing:
        typer.echo(f"there is no such letter: {letter}", err=True)
    if missing or order.refused:
        raise typer.Exit(1)


async def _carry_out(reader: TopicReader, places: dict[str, int], order: Order) -> list[str]:
    """Does it, chunk by chunk; gives the named letters that are not there."""
    filters = order.filters
    missing = {*map(str, filters.ids), *map(str, filters.origins), *filters.traces}
    async with _decider(order) as decider:
        chunk: list[DeadLetter] = []
        async for found in _find(reader, places, filters):
            missing -= {str(found.letter.id), str(found.letter.origin), found.letter.trace_id or ""}
            if not order.takes(found):
                order.already += 1
                continue
            chunk.append(found.letter)
            if len(chunk) >= CHUNK or sum(len(letter.value) for letter in chunk) >= CHUNK_BYTES:
                await _settle(decider, chunk, order)
                chunk = []
        await _settle(decider, chunk, order)
    return sorted(missing)


def _decider(order: Order) -> AbstractAsyncContextManager[DeadLetterResolver | None]:
    """Nobody in a dry run: what can't publish does not."""
    from pipeline.dead_letters.resolve import open_resolver

    return nullcontext() if order.dry_run else open_resolver(_kafka(), _who())


async def _settle(decider: DeadLetterResolver | None, letters: list[DeadLetter], order: Order) -> None:
    from pipeline.dead_letters.format import row

    refused: list[NotRedriven] = []
    if decider is None:
        for letter in letters:
            typer.echo(row(letter, DeadLetterState.OPEN))
    else:
        refused = await (decider.drop(letters) if order.state is DeadLetterState.DROPPED else decider.redrive(letters))
    for letter, why in refused:
        typer.echo(f"{letter.id}: {why}", err=True)
    order.done += len(letters) - len(refused)
    order.refused += len(refused)


def _printer(json: bool, reveal: bool) -> Printer:
    """Prints one letter; the first is the one numbered 0."""
    from pipeline.dead_letters.format import as_json, heading, row

    def show_row(number: int, found: FoundDeadLetter) -> None:
        if not number:
            typer.echo(heading())
        typer.echo(row(*found))

    def show_json(_: int, found: FoundDeadLetter) -> None:
        typer.echo(as_json(*found, reveal=reveal))

    return show_json if json else show_row


async def _list(stages: Collection[str], filters: DeadLetterFilter, limit: int, show_letter: Printer) -> int:
    """Prints up to `limit` letters; gives how many there are."""

    async def run(reader: TopicReader, places: dict[str, int]) -> int:
        count = 0
        async for found in _find(reader, places, filters):
            if count < limit:
                show_letter(count, found)
            count += 1
        return count

    return await _reading(stages, run)


def _counted(count: int, limit: int, state: Wanted) -> str:
    what = "" if state is Wanted.ALL else f" {state.value}"
    return f"{count}{what}" + (f", {limit} of them shown: --limit shows more" if count > limit else "")


async def _find(
    reader: TopicReader, places: dict[str, int], filters: DeadLetterFilter
) -> AsyncIterator[FoundDeadLetter]:
    from pipeline.dead_letters.find import find

    for stage, partitions in places.items():
        own = frozenset(letter for letter in filters.ids if letter.stage == stage)
        async for found in find(reader, stage, range(partitions), replace(filters, ids=own)):
            yield found


async def _reading(stages: Collection[str], use: Callable[[TopicReader, dict[str, int]], Awaitable[Answer]]) -> Answer:
    """What `use` makes of a reader and of the partitions of each stage's letters."""
    from pipeline.replay.topic_reader import open_reader

    places = await _places(stages)
    async with open_reader(_kafka()) as reader:
        return await use(reader, places)


async def _places(stages: Collection[str]) -> dict[str, int]:
    from pipeline.runtime.kafka import admin

    there = await admin.describe(_kafka(), [PREFIX + stage for stage in stages])
    missing = [stage for stage in stages if PREFIX + stage not in there]
    if strange := [stage for stage in missing if stage not in STAGES]:
        raise typer.BadParameter(f"there is no stage {strange[0]!r}: choose from {', '.join(STAGES)}")
    if missing:
        raise UsageError(f"Kafka has no topic {PREFIX}{missing[0]}: run `pipeline topics create`")
    return {stage: there[PREFIX + stage].partitions for stage in stages}


def _named_stages(filters: DeadLetterFilter, stage: str | None) -> Collection[str]:
    """The stages to look at: named letters say their stage, and a record or a trace may have failed in any."""
    if not filters.ids or filters.origins or filters.traces:
        own = {letter.stage for letter in filters.ids} - set(STAGES)
        return (stage,) if stage else (*STAGES, *sorted(own))
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


def _who() -> str:
    """Whoever runs this, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _ask(question: Coroutine[Any, Any, Answer]) -> Answer:
    from pipeline.cli._setup import configured
    from pipeline.cli.topics import quiet_client

    quiet_client()
    configured()
    return asyncio.run(question)
