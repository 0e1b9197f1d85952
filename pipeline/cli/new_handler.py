"""`pipeline new-handler NAME`: a handler class, its registration, and its conformance test."""

from __future__ import annotations

from typing import Annotated, Final

import typer

_HANDLER: Final = '''"""{title}."""

from __future__ import annotations

from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent


class {class_name}Handler(EventHandler):
    """Asks for a name, and remembers it for an hour."""

    async def process_message(self, webhook: MessageEvent) -> None:
        said, user_id = webhook.get_message_text(), webhook.user.user_id
        states = self.cache_factory.create_state_cache()
        if not said:
            return
        if await states.get("{name}"):
            await states.delete("{name}")
            await self.messenger.send_text(f"Hello {{said[:100]}}!", user_id)
        else:
            await states.set("{name}", {{"asked": "name"}}, ttl=3600)
            await self.messenger.send_text("What is your name?", user_id)
'''
_TEST: Final = '''"""{title}: what it says, and that it stands what every handler must."""

from __future__ import annotations

from {package}.{name} import {class_name}Handler
from pipeline.testing import AgentConformance, HandlerDriver, incoming_text
from pipeline.topics.events import EventBase


class Test{class_name}(AgentConformance):
    agent = {class_name}Handler()

    def events(self, user: str) -> list[EventBase]:
        return [incoming_text(word, from_=user) for word in ("hi", "Ana")]


def test_it_asks_and_remembers_for_an_hour() -> None:
    """Its users would be asked again and again, or called by yesterday's word."""
    driver = HandlerDriver({class_name}Handler())
    driver.handle(incoming_text("hi"), incoming_text("Ana"), incoming_text("hi"))
    driver.advance(3601)
    driver.handle(incoming_text("Bo"))
    assert driver.texts == ["What is your name?", "Hello Ana!", "What is your name?", "What is your name?"]
'''


def new_handler(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A module's name, e.g. reception.")],
    tenant: Annotated[
        str | None, typer.Option(metavar="ID", help="Make it this tenant's handler in the tenants file.")
    ] = None,
    package: Annotated[
        str | None, typer.Option(metavar="NAME", help="Write it into this package of yours, e.g. my_shop.")
    ] = None,
) -> None:
    """Write NAME.py into your package (in a checkout: agents/handlers/) and a test with the conformance suite."""
    from pipeline.cli._scaffold import Templates, home, scaffold

    place, templates = home(package, "agents/handlers"), Templates(_HANDLER, _TEST)
    scaffold(name, tenant, place, templates, "{package}.{name}.{class_name}Handler")
