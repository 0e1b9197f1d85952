"""`pipeline new-agent NAME`: a function as an agent, its registration, and its conformance test."""

from __future__ import annotations

from typing import Annotated, Final

import typer

_AGENT: Final = '''"""{title}: one event in, effects out."""

from __future__ import annotations

from pipeline.handlers import Effects, agent
from pipeline.topics.events import MessageEvent


@agent(MessageEvent)
async def {name}(event: MessageEvent, effects: Effects) -> None:
    """Counts a user's texts and says how many there are. Rows and sends take effect together, once."""
    if event.get_message_text():
        count = await effects.tables.increment_field("{name}", event.user.user_id, "texts")
        await effects.messenger.send_text(f"That makes {{count}}.", event.user.user_id)
'''
_TEST: Final = '''"""{title}: what it says, and that it stands what every agent must."""

from __future__ import annotations

from {package}.{name} import {name}
from pipeline.testing import AgentConformance, HandlerDriver, incoming_image, incoming_text
from pipeline.topics.events import EventBase


class Test{class_name}(AgentConformance):
    agent = {name}

    def events(self, user: str) -> list[EventBase]:
        return [incoming_text(word, from_=user) for word in ("one", "two")]


def test_it_counts_texts_and_nothing_else() -> None:
    """Its users would be told a wrong number."""
    driver = HandlerDriver({name})
    driver.handle(incoming_text("hi"), incoming_image(), incoming_text("again"))
    assert driver.texts == ["That makes 1.", "That makes 2."]
'''


_BESIDE: Final = '''"""{title}: one event in, effects out, beside the handlers."""

from __future__ import annotations

from pipeline.handlers import Effects, agent
from pipeline.topics.events import MessageEvent


@agent(MessageEvent)
async def {name}(event: MessageEvent, effects: Effects) -> None:
    """Counts a user's texts. Its rows are its own, and take effect once."""
    if event.get_message_text():
        await effects.tables.increment_field("{name}", event.user.user_id, "texts")
'''
_TEST_BESIDE: Final = '''"""{title}: what it counts, and that it stands what every agent must."""

from __future__ import annotations

from {package}.{name} import {name}
from pipeline.testing import AgentConformance, AgentDriver, incoming_image, incoming_text
from pipeline.topics.events import EventBase


class Test{class_name}(AgentConformance):
    agent = {name}

    def events(self, user: str) -> list[EventBase]:
        return [incoming_text(word, from_=user) for word in ("one", "two")]


def test_it_counts_texts_and_nothing_else() -> None:
    """A wrong number would be told to whoever reads the count."""
    driver = AgentDriver({name})
    driver.handle(incoming_text("hi"), incoming_image(), incoming_text("again"))
    counts = driver.caches().create_table_cache()
    assert driver.run(counts.get("{name}", "15550001111")) == {{"texts": 2}}
'''


def new_agent(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A module's name, e.g. visits.")],
    tenant: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Make it this tenant's handler in the tenants file; with --beside: let it read this tenant's events.",
        ),
    ] = None,
    package: Annotated[
        str | None, typer.Option(metavar="NAME", help="Write it into this package of yours, e.g. my_shop.")
    ] = None,
    *,
    beside: Annotated[
        bool, typer.Option("--beside", help="Name it under `agents` in the tenants file: it runs beside the handlers.")
    ] = False,
) -> None:
    """Write NAME.py into your package (in a checkout: agents/) and a test with the conformance suite."""
    from pipeline.cli._scaffold import Templates, home, scaffold

    templates = Templates(_BESIDE, _TEST_BESIDE) if beside else Templates(_AGENT, _TEST)
    scaffold(name, tenant, home(package, "agents"), templates, "{package}.{name}.{name}", beside=beside)
