"""docs/messaging.md shows every send as it is, and each of its examples reaches the sandbox."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache, partial
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from pipeline.handlers import EventHandler, SendResult
from pipeline.handlers.media.limits import MIB, SIZES, STATIC_STICKER
from pipeline.handlers.messenger import Messenger
from pipeline.handlers.outbound.sender_mixin import SendOptions
from pipeline.testing import HandlerDriver, incoming, incoming_selection, incoming_text, status_event
from pipeline.topics.commands import CommandKind
from pipeline.topics.events import EventBase
from pipeline.topics.outcomes import OutcomeStatus
from tests.support.doc_blocks import Block, define, running
from tests.support.messengers import call
from tests.support.sandboxed import Handled, Sandboxed, sandboxed
from tests.support.sends import PAGE, SENDS, TYPED, kind_of, providers_of, sections, typed, with_signatures
from tests.support.waiting import HANG

TEXT = PAGE.read_text()
PYTHON = [block for block in running(PAGE) if block.language == "python"]
LEFT_OUT = {("send_contacts", "wasender"): "Wasender takes one card in a message."}
"""Examples that a provider refuses, and what the page says about it."""


@cache
def handlers() -> dict[str, type[EventHandler]]:
    """The handler of each block that has one, by the block's name. A block has all that those before it define."""
    names: dict[str, Any] = {"__name__": "documented"}
    exec("from pipeline import *", names)
    found: dict[str, type[EventHandler]] = {}
    for block in PYTHON:
        for each in define(block, names):
            if isinstance(each, type) and issubclass(each, EventHandler):
                found[block.name] = each
    return found


def handler(block: Block) -> EventHandler | None:
    """A new handler of a block; None if the block has none."""
    kind = handlers().get(block.name)
    return kind() if kind else None


def blocks_of(name: str) -> list[Block]:
    """The examples below the heading of a send."""
    start = TEXT.index(f"### {name}\n")
    first = TEXT[:start].count("\n")
    last = first + sections(TEXT)[name].count("\n") + 1
    return [block for block in PYTHON if first < block.line <= last]


def _send_of(block: Block) -> str | None:
    """The send that a block is the example of."""
    return next((name for name in SENDS if block in blocks_of(name)), None)


def _providers(block: Block) -> list[str]:
    """The providers at which a block runs: those that the signature above it names."""
    name = _send_of(block)
    return [each for each in providers_of(name) if (name, each) not in LEFT_OUT] if name else ["cloud"]


def test_it_has_every_send() -> None:
    """A send that the page lacks is found by nobody; one that is gone is an AttributeError for whoever reads of it."""
    assert set(sections(TEXT)) == SENDS
    assert all(f"self.messenger.{name}(" in section for name, section in sections(TEXT).items())


def test_its_signatures_are_those_of_the_code() -> None:
    """A parameter would be named wrongly, or be missing. `python -m tests.support.sends` writes them."""
    assert with_signatures(TEXT) == TEXT
    assert all(section.count("```py\n") == 1 for section in sections(TEXT).values())


def test_its_code_is_checked_by_type_checkers() -> None:
    """A reader's editor would underline what it has copied. `python -m tests.support.sends` writes the file."""
    assert TYPED.read_text() == typed()


def test_its_tables_of_what_all_sends_have_are_whole() -> None:
    """An option or a field of the result would be known to those alone who read the code."""
    assert set(SendOptions.__annotations__) == _rows("### Options of every send")
    shown = {name for name in _rows("## A send") if hasattr(SendResult, name)} | {"recipient_phone", "recipient_bsuid"}
    rest = {"api_response"}  # always None
    assert {field.name for field in fields(SendResult)} - rest <= shown


def _rows(heading: str) -> set[str]:
    """The names in the first column of the first table below a heading."""
    section = re.split(r"\n##", TEXT[TEXT.index(f"{heading}\n") + len(heading) :])[0]
    return {name for row in re.findall(r"^\| (`.*?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)}


EXAMPLES = [(block, provider) for block in PYTHON for provider in _providers(block)]


@pytest.mark.parametrize(("block", "provider"), EXAMPLES, ids=[f"{block.name}-{at}" for block, at in EXAMPLES])
def test_each_example_reaches_the_sandbox(block: Block, provider: str) -> None:
    """Readers would copy a send that WhatsApp, or the provider's client, refuses."""
    documented, name = handler(block), _send_of(block)
    if documented is None:
        assert name is None
        return

    async def main() -> None:
        async with sandboxed() as sandbox:
            handled = await sandbox.handle(documented, incoming_text("hi", name="Ana", provider=provider))
            await _check(sandbox, handled, kind_of(name) if name else None)

    asyncio.run(asyncio.wait_for(main(), HANG))


async def _check(sandbox: Sandboxed, handled: Handled, kind: CommandKind | None) -> None:
    """Every command is accepted, and the sandbox has it; one of them is of the kind of the section's send."""
    assert [outcome.error_message for outcome in handled.outcomes if outcome.status != OutcomeStatus.ACCEPTED] == []
    assert [each.command_id for each in handled.outcomes] == [each.command_id for each in handled.commands]
    reads = [command for command in handled.commands if command.kind == CommandKind.READ]
    assert len(await sandbox.journal("sent")) == len(handled.commands) - len(reads)
    assert bool(await sandbox.journal("reads")) == bool(reads)
    assert kind is None or kind in {command.kind for command in handled.commands}
    assert await sandbox.journal("violations") == []


@cache
def arguments(name: str) -> dict[str, Any]:
    """The arguments of a send in the first example of its section, by name. Models are dicts."""
    seen: list[dict[str, Any]] = []
    original = getattr(Messenger, name)

    async def spy(self: Messenger, *given: Any, **named: Any) -> SendResult:
        names = [each for each in original.__code__.co_varnames if each != "self"]
        seen.append(dict(zip(names, given, strict=False)) | named)
        result: SendResult = await original(self, *given, **named)
        return result

    documented = handler(blocks_of(name)[0])
    assert documented is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Messenger, name, spy)
        HandlerDriver(documented).handle(incoming_text("hi"))
    plain: dict[str, Any] = _plain(seen[0])
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True, mode="json")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


NUMBERS = frozenset({"degrees", "minutes"})
"""Units of what is a number itself. All others count characters or items."""


class Limit(NamedTuple):
    """A row of a table of limits: how many characters or items a part of a send may have."""

    send: str
    path: str
    least: int
    most: int
    unit: str
    code: str


_LIMIT = re.compile(r"^\| `([\w.\[\]]+)` \| (?:(-?\d+) to |up to )([\d,]+) ([a-z]+)[^|]*\| `(\w+)` \|$", re.M)
_SIZE = re.compile(r"^\| `(\w+)_source` \| [^|]*?up to (\d+) (?:MiB|KiB)[^|]*\| `(\w+)` \|$", re.M)


def limits() -> Iterator[Limit]:
    for name, section in sections(TEXT).items():
        for path, least, most, unit, code in _LIMIT.findall(section):
            yield Limit(name, path, int(least or 0), int(most.replace(",", "")), unit, code)


@pytest.mark.parametrize("limit", list(limits()), ids=lambda limit: f"{limit.send}-{limit.path}")
def test_its_limits_are_those_of_the_code(limit: Limit) -> None:
    """Authors would cut what could be sent whole, or learn of the limit from a refusal."""
    base = copy.deepcopy(arguments(limit.send))
    if limit.path.startswith("sections[]."):
        base["sections"] = base["sections"][:1]  # a limit over all sections is that of one
    for size, succeeds in ((limit.most, True), (limit.most + 1, False), (limit.least - 1, False)):
        if size < 0 and limit.unit not in NUMBERS:
            continue
        given = copy.deepcopy(base)
        _set(given, limit.path.replace("[]", ".0").split("."), partial(_sized, size=size, unit=limit.unit))
        result, _ = call(limit.send, given)
        assert result.success is succeeds, (size, result.error)
        assert succeeds or size < limit.least or result.error_code == limit.code


def _set(node: Any, path: list[str], make: Callable[[Any], Any]) -> None:
    name: Any = int(path[0]) if path[0].isdigit() else path[0]
    if len(path) > 1:
        _set(node[name], path[1:], make)
    else:
        node[name] = make(node.get(name) if isinstance(node, dict) else node[name])


def _sized(old: Any, size: int, unit: str) -> Any:
    """A value of so many characters or items. Items are copies of the first, each with an id and a title of its own."""
    if unit in NUMBERS:
        return size
    if unit == "characters":
        kept = "https://shop.example/" if str(old).startswith("https://") else ""
        return kept + "x" * (size - len(kept))
    return [_numbered(old[0], number) for number in range(size)]


def _numbered(item: Any, number: int) -> Any:
    if isinstance(item, str):
        return f"{item} {number}"
    apart = {"id": f"id-{number}", "title": f"Title {number}"}
    own = {name: value for name, value in apart.items() if name in item}
    inside = (
        {"rows": [{**row, "id": f"row-{number}-{n}"} for n, row in enumerate(item["rows"])]} if "rows" in item else {}
    )
    return {**item, **own, **inside}


def test_what_a_provider_refuses_is_said() -> None:
    """An author would hear of it from a failed outcome."""
    assert all(said in sections(TEXT)[name] for (name, _), said in LEFT_OUT.items())


def test_the_limits_are_found() -> None:
    """A table that is written in another way would be compared with nothing."""
    found = list(limits())
    assert len(found) > 70
    assert {"send_text", "send_list_message", "send_carousel", "send_contact", "send_template"} <= {
        limit.send for limit in found
    }


def test_its_sizes_of_files_are_those_of_the_code() -> None:
    """Authors would make their files smaller than need be, or learn of the limit from a refusal."""
    found = {kind: int(size) for kind, size, _ in _SIZE.findall(TEXT)}
    assert found.pop("sticker") * 1024 == SIZES["sticker"]
    assert f"else {STATIC_STICKER // 1024} KiB" in TEXT
    assert {kind: size * MIB for kind, size in found.items()} == {
        kind: SIZES[kind] for kind in SIZES if kind != "sticker"
    }
    assert {code for *_, code in _SIZE.findall(TEXT)} == {"FILE_SIZE_EXCEEDED"}


async def texts(sandbox: Sandboxed, block: Block, *events: EventBase) -> list[str]:
    """What the handler of a block says to events."""
    documented = handler(block)
    assert documented is not None
    return [command.body["text"] for each in events for command in (await sandbox.handle(documented, each)).commands]


def block_with(words: str) -> Block:
    (found,) = [block for block in PYTHON if words in block.text]
    return found


def test_a_selection_comes_back_to_its_handler() -> None:
    """The first menu that somebody copies would ask for ever."""

    async def main() -> None:
        async with sandboxed() as sandbox:
            events = incoming_text("hi"), incoming_selection("take-bun", "A bun")
            said = await texts(sandbox, block_with('startswith("take-")'), *events)
            assert said == ["What would you like?", "One bun, coming up."]

    asyncio.run(main())


def test_a_reply_is_joined_with_what_it_answers() -> None:
    """A bot would not know which of its messages a person means."""

    async def main() -> None:
        async with sandboxed() as sandbox:
            documented = handler(block_with("original_message_id"))
            assert documented is not None
            (outcome,) = (await sandbox.handle(documented, incoming_text("hi"))).outcomes
            assert outcome.message_id
            await sandbox.handle(documented, status_event(message_id=outcome.message_id, command_id=outcome.command_id))
            reply = incoming_text("too late", context={"from": "15559990000", "id": outcome.message_id})
            handled = await sandbox.handle(documented, reply)
            assert [command.body["text"] for command in handled.commands] == ["About order 17, then."]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("words", "says"), [("get_media_as_bytes(", "9 bytes of image/jpeg"), ("stream_media(", "9 of 9 bytes")]
)
def test_what_a_person_sent_is_downloaded(words: str, says: str) -> None:
    """The bytes would not be those that the person has sent, or none."""

    async def main() -> None:
        async with sandboxed() as sandbox:
            kept = {"id": await sandbox.keep(b"\xff\xd8\xff a cat"), "mime_type": "image/jpeg"}
            gone = {**kept, "id": "1"}
            blocks = [block for block in PYTHON if words in block.text]
            said = await texts(sandbox, blocks[0], incoming("image", kept), incoming("image", gone))
            assert said[0] == says
            assert says not in said[1:]

    asyncio.run(main())
