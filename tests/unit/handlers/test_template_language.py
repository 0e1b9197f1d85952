"""The language of a template is what somebody said: the send, the tenants file, or the handler's class."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.handlers import EventHandler, HandlerRunner
from pipeline.state import MemoryStore
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import HandlerDriver, api_message, incoming_text
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import EventBase, MessageEvent
from pipeline.wappa import WappaEventHandler
from tests.support.handler_events import settings, text
from tests.support.messengers import call
from tests.support.send_api import USER, api

NAMED = {"template_name": "hello", "recipient": USER}
SENDS: dict[str, dict[str, Any]] = {
    "send_text_template": {},
    "send_template": {},
    "send_media_template": {"media_type": "image", "media_id": "1"},
    "send_location_template": {"latitude": 1, "longitude": 2, "name": "Shop", "address": "Main Street 1"},
}
HERE = f"{__name__}."


class Sender(EventHandler):
    """Sends a template, and a text about a template that was refused."""

    async def process_message(self, webhook: MessageEvent) -> None:
        asked, person = webhook.get_message_text(), webhook.user.user_id
        result = await self.messenger.send_text_template("hello", person, None, None if asked == "hi" else asked)
        if not result.success:
            await self.messenger.send_text(str(result.error), person)


class Speaker(Sender):
    template_language = "pt_BR"


class Ported(WappaEventHandler, Sender):
    """As somebody has it who moved over."""


def handled(event: EventBase, kind: type[EventHandler], own: str | None = None) -> Command:
    """The one command of an event, handled as in a worker whose tenants file names the handler."""
    tenant = {"id": "acme", "handler": HERE + kind.__name__} | ({"template_language": own} if own else {})
    owners = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))
    (command,) = asyncio.run(HandlerRunner(settings(), owners, MemoryStore()).run(event))
    return command


@pytest.mark.parametrize(
    ("asked", "own", "kind", "language"),
    [
        ("en_GB", "de", Speaker, "en_GB"),
        ("hi", "de", Speaker, "de"),
        ("hi", None, Speaker, "pt_BR"),
        ("hi", "de", Sender, "de"),
        ("hi", None, Ported, "es"),
        ("hi", "de", Ported, "de"),
    ],
)
def test_what_is_closest_to_the_send_counts(
    asked: str, own: str | None, kind: type[EventHandler], language: str
) -> None:
    """A tenant's customers would get a template in another language, or in none that is approved."""
    command = handled(text(asked), kind, own)
    assert (command.kind, command.body["language"]) == (CommandKind.TEMPLATE, language)


@pytest.mark.parametrize("method", SENDS)
def test_without_a_language_it_is_refused(method: str) -> None:
    """It would be sent in Spanish, which its author never said."""
    result, commands = call(method, NAMED | SENDS[method])
    assert (result.error_code, commands) == ("VALIDATION", [])
    assert result.error and "language_code" in result.error and "template_language" in result.error
    assert call(method, NAMED | SENDS[method] | {"language_code": "en"})[0].success


def test_in_a_test_it_is_as_in_a_worker() -> None:
    """A test would pass with a template that a worker refuses, or the other way about."""
    sent = [HandlerDriver(kind()).handle(incoming_text("hi"))[0] for kind in (Sender, Speaker, Ported)]
    assert [command.body.get("language") for command in sent] == [None, "pt_BR", "es"]


def test_texts_stand_for_parameters() -> None:
    """Authors would write three words around every value, or send none of them."""
    pairs = [["Ana", "17"], [{"type": "text", "text": "Ana"}, {"text": "17"}]]
    bodies = [call("send_text_template", NAMED | {"language_code": "en", "body_parameters": each}) for each in pairs]
    assert bodies[0][1][0].body == bodies[1][1][0].body
    assert [each["text"] for each in bodies[0][1][0].body["components"][0]["parameters"]] == ["Ana", "17"]


def test_a_code_is_a_text_too() -> None:
    """A one-time code would need another form than every other parameter."""
    code = {"template_type": "authentication", "authentication_method": "copy_code", "body_parameters": ["123456"]}
    _, (command,) = call("send_text_template", NAMED | code | {"language_code": "en"})
    assert [each["parameters"][0]["text"] for each in command.body["components"]] == ["123456", "123456"]


@pytest.mark.parametrize(("own", "status"), [(None, 422), ("de", 200)])
def test_the_http_api_refuses_it_too(own: str | None, status: int) -> None:
    """A caller would be told that it is queued, and the template be sent in a language that nobody named."""
    account = {"provider": "cloud", "id": "106", "token": "t"}
    tenant = {"id": "acme", "accounts": [account], "api_keys": ["acme-new"]} | (
        {"template_language": own} if own else {}
    )

    async def main() -> None:
        async with api(Tenants(TenantsFile.model_validate({"tenants": [tenant]}))) as caller:
            bodies: tuple[dict[str, Any], ...] = (NAMED, NAMED | {"language": {}})
            for body in bodies:
                got, answer = await caller.post("templates/send-text", body)
                assert got == status, answer
            named = NAMED | {"language_code": "en", "body_parameters": ["Ana"]}
            assert (await caller.post("templates/send-text", named))[0] == 200

    asyncio.run(main())


def test_a_send_that_an_older_ingress_took_keeps_its_language() -> None:
    """During an upgrade it would become a dead letter, though its caller was told that it is queued."""
    event = api_message("templates/send-text", template_name="hello")
    assert handled(event, Sender).body["language"] == "es"
    assert handled(event, Sender, "de").body["language"] == "de"
