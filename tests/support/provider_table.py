"""The tables of docs/providers.md: what each provider can send, what arrives, and the events that it becomes.

The second is made from the examples that the providers' tests run over, by running them:
`python -m tests.support.provider_table` writes both. A new provider gives its examples here, in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from pipeline.providers import PROVIDERS
from pipeline.testing import TestRecord
from pipeline.topics import headers
from pipeline.topics.commands import CommandKind
from tests.support import cloud_webhooks, gateway_webhooks, wasender_webhooks

PAGE: Final = Path(__file__).parents[2] / "docs" / "providers.md"
BEGIN: Final = "<!-- The table below is written by `python -m tests.support.provider_table`. -->\n"
END: Final = "<!-- End of the table. -->\n"
SENDS: Final = "<!-- What each can send is written by `python -m tests.support.provider_table`. -->\n"
SENDS_END: Final = "<!-- End of what each can send. -->\n"


class Arrival(NamedTuple):
    """A webhook of a provider: in words, and its body."""

    name: str
    body: bytes


def _cloud() -> Iterator[Arrival]:
    return (Arrival(each.name, orjson.dumps(each.body)) for each in cloud_webhooks.named_examples())


def _by_event(webhooks: Iterable[cloud_webhooks.Json]) -> Iterator[Arrival]:
    """Gateways name what arrives themselves; some webhooks of theirs have no envelope and no name."""
    return (Arrival(f"`{each.get('event', '(no name)')}`", orjson.dumps(each)) for each in webhooks)


ARRIVALS: Final[Mapping[str, Callable[[], Iterator[Arrival]]]] = {
    "cloud": _cloud,
    "wasender": lambda: _by_event(wasender_webhooks.examples()),
    "wawp": lambda: _by_event(gateway_webhooks.examples("wawp")),
    "waha": lambda: _by_event(gateway_webhooks.examples("waha")),
}
"""The examples of each provider, by its name."""


def table() -> str:
    """One table of three columns: provider, what arrives, kind and type of what comes of it."""
    rows = [f"| {name} | {each.name} | {_becomes(name, each)} |" for name in ARRIVALS for each in ARRIVALS[name]()]
    return "\n".join(["| provider | what arrives | events |", "| --- | --- | --- |", *dict.fromkeys(rows)]) + "\n"


def sends() -> str:
    """Kinds of commands by provider, as each provider names them."""
    rows = [f"| {kind} | {' | '.join(_can(name, kind) for name in PROVIDERS)} |" for kind in CommandKind]
    return "\n".join([f"| kind | {' | '.join(PROVIDERS)} |", "| --- |" + " :-: |" * len(PROVIDERS), *rows]) + "\n"


def page(old: str) -> str:
    """The page with today's tables in it."""
    return _with(_with(old, SENDS, sends(), SENDS_END), BEGIN, table(), END)


def _with(old: str, begin: str, made: str, end: str) -> str:
    before, _, rest = old.partition(begin)
    return f"{before}{begin}\n{made}\n{end}{rest.partition(end)[2]}"


def _can(provider: str, kind: CommandKind) -> str:
    return "✓" if kind in PROVIDERS[provider].kinds else ""


def _becomes(provider: str, arrival: Arrival) -> str:
    made = PROVIDERS[provider].parse(TestRecord(arrival.body, headers=((headers.ACCOUNT, b"account"),)))
    return ", ".join(f"{event.kind} `{event.body['event_type']}`" for event in made) or "none: there is nothing in it"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
