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


def new_agent(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A module's name, e.g. visits.")],
    tenant: Annotated[
        str | None, typer.Option(metavar="ID", help="Make it this tenant's handler in the tenants file.")
    ] = None,
    package: Annotated[
        str | None, typer.Option(metavar="NAME", help="Write it into this package of yours, e.g. my_shop.")
    ] = None,
) -> None:
    """Write NAME.py into your package (in a checkout: agents/) and a test with the conformance suite."""
    from pipeline.cli._scaffold import home, scaffold

    scaffold(name, tenant, home(package, "agents"), _AGENT, _TEST, "{package}.{name}.{name}")
