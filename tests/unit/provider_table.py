"""The table of docs/providers.md: what arrives at each provider, and the events that it becomes.

It is made from the examples that the providers' tests run over, by running them: `python -m tests.unit.provider_table`
writes it. A new provider gives its examples here, in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from pipeline.providers import PROVIDERS
from pipeline.testing import TestRecord
from tests.unit import cloud_webhooks, gateway_webhooks, wasender_webhooks
from topics import headers

PAGE: Final = Path(__file__).parents[2] / "docs" / "providers.md"
BEGIN: Final = "<!-- The table below is written by `python -m tests.unit.provider_table`. -->\n"
END: Final = "<!-- End of the table. -->\n"


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


def page(old: str) -> str:
    """The page with today's table in it."""
    before, _, rest = old.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def _becomes(provider: str, arrival: Arrival) -> str:
    made = PROVIDERS[provider].parse(TestRecord(arrival.body, headers=((headers.ACCOUNT, b"account"),)))
    return ", ".join(f"{event.kind} `{event.body['event_type']}`" for event in made) or "none: there is nothing in it"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
