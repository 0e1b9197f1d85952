"""The sandbox's chat box: what its page is told, and what a person sees and does on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse
from pydantic import SecretStr

from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus
from pipeline.sandbox.config import SAMPLE_ACCOUNTS
from pipeline.tenants import Account
from pipeline.testing.provider_calls import BODIES, sample_command
from pipeline.topics.commands import CommandKind
from tests.integration.sandbox_client import ACCOUNT, MESSAGES, QUICK, TOKEN, Client, Ingress, with_both
from tests.support.browser import NEEDS_BROWSER, tab
from tests.support.waiting import HANG, until

USER = "15550001111"
ACTIONS = {CommandKind.READ, CommandKind.TYPING, CommandKind.REACTION, CommandKind.EDIT, CommandKind.REVOKE}
CARD = {"name": {"formatted_name": "Jane", "first_name": "Jane"}, "phones": [{"phone": "+91 111"}]}
WRITTEN = {CommandKind.CONTACTS: {"contacts": [CARD]}}
"""Bodies without which the Cloud API refuses what the gateways take."""
BUTTONS = {
    "type": "button",
    "body": {"text": "One tin?"},
    "action": {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]},
}
MENU = {
    "type": "list",
    "body": {"text": "Which tea?"},
    "action": {"button": "Teas", "sections": [{"rows": [{"id": "chai", "title": "Chai", "description": "6 euros"}]}]},
}


class Events:
    """The events of one conversation, as they come."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(HANG):
            line = await self._response.content.readline()
            assert await self._response.content.readline() == b"\n"
        found: dict[str, Any] = orjson.loads(line.removeprefix(b"data: "))
        return found


@asynccontextmanager
async def conversation(client: Client, provider: str = "cloud", user: str = USER) -> AsyncIterator[Events]:
    account = next(each for each in SAMPLE_ACCOUNTS if each.provider == provider)
    query = {"provider": provider, "account": account.id, "from": user}
    async with client.session.get(f"{client.url}/_sandbox/chat", params=query) as response:
        events = Events(response)
        assert await events.next() == {"kind": "begin"}
        yield events


async def received(client: Client, **message: object) -> str:
    status, answer = await client.call("POST", "/_sandbox/receive", {"from": USER, **message})
    assert status == 200, answer
    return str(answer["message_ids"][0])


async def said(client: Client, kind: str, content: object, to: str = USER) -> str:
    body = {"messaging_product": "whatsapp", "to": to, "type": kind, kind: content}
    status, answer = await client.call("POST", MESSAGES, body, TOKEN)
    assert status == 200, answer
    return str(answer["messages"][0]["id"])


def test_a_page_is_told_of_its_conversation_as_it_happens_and_of_no_other() -> None:
    """A person would wait for an answer that came long ago, or see another user's."""

    async def test(client: Client, _: Ingress) -> None:
        async with conversation(client) as events:
            await said(client, "text", {"body": "for somebody else"}, "15550002222")
            mine = await received(client, text="hello")
            told = [await events.next(), await events.next()]
            assert (told[0]["side"], told[0]["id"], told[0]["bubble"]) == ("user", mine, {"text": "hello"})
            assert told[1] == {"kind": "status", "id": mine, "status": "taken", "code": 200}
            seen = {"messaging_product": "whatsapp", "status": "read", "message_id": mine}
            await client.call("POST", MESSAGES, seen | {"typing_indicator": {"type": "text"}}, TOKEN)
            assert await events.next() == {"kind": "read", "id": mine, "typing": True}
            answer = await said(client, "interactive", BUTTONS)
            shown = await events.next()
            assert (shown["side"], shown["bubble"]["text"]) == ("bot", "One tin?")
            assert shown["bubble"]["buttons"] == [{"id": "yes", "title": "Yes", "type": "button_reply"}]
            for status in ("sent", "delivered", "read"):
                assert await events.next() == {"kind": "status", "id": answer, "status": status, "code": None}
            await said(client, "reaction", {"message_id": mine, "emoji": "👍"})
            assert await events.next() == {"kind": "reaction", "side": "bot", "id": mine, "emoji": "👍"}

    with_both(test, statuses=QUICK)


def test_a_page_that_is_opened_later_shows_the_same() -> None:
    """Loading the page anew would lose the conversation, or its ticks."""

    async def test(client: Client, ingress: Ingress) -> None:
        mine = await received(client, text="hello")
        seen = {"messaging_product": "whatsapp", "status": "read", "message_id": mine}
        await client.call("POST", MESSAGES, seen | {"typing_indicator": {"type": "text"}}, TOKEN)
        answer = await said(client, "text", {"body": "hi"})
        await until(lambda: len(ingress.statuses) == 3)
        await until(lambda: client.counted("delivered"))
        async with conversation(client) as events:
            told = [await events.next() for _ in range(5)]
        assert [(each["kind"], each["id"]) for each in told] == [
            ("message", mine),
            ("message", answer),
            ("status", mine),
            ("status", answer),
            ("read", mine),
        ]
        assert told[4]["typing"] is False

    with_both(test, statuses=QUICK)


def test_a_message_that_the_ingress_refuses_says_so() -> None:
    """A person would take a wrong secret for a bot that does not answer."""

    async def test(client: Client, _: Ingress) -> None:
        async with conversation(client) as events:
            mine = await received(client, text="hello")
            await events.next()
            assert await events.next() == {"kind": "status", "id": mine, "status": "refused", "code": 401}

    with_both(test, 401)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_everything_that_a_provider_takes_is_shown(provider: str) -> None:
    """A bot's list or picture would be an empty bubble in which nothing can be tapped."""
    kinds = [kind for kind in BODIES if kind in PROVIDERS[provider].kinds - ACTIONS - {CommandKind.FORWARD}]
    known = next(each for each in SAMPLE_ACCOUNTS if each.provider == provider)

    async def test(client: Client, _: Ingress) -> None:
        account = Account(provider=provider, id=known.id, token=SecretStr(known.token), base_url=client.url)
        bubbles: dict[CommandKind, dict[str, Any]] = {}
        async with conversation(client, provider) as events:
            for kind in kinds:
                command = sample_command(provider, kind, account=known.id, body=WRITTEN.get(kind, BODIES[kind]))
                attempt = await PROVIDERS[provider].deliver(command, account, client.session)
                assert attempt.status is AttemptStatus.ACCEPTED, (kind, attempt)
                if kind is not CommandKind.PIN:
                    bubbles[kind] = (await events.next())["bubble"]
        assert [kind for kind, bubble in bubbles.items() if not bubble or "[" in bubble.get("note", "")] == []
        assert bubbles[CommandKind.TEXT]["text"] == BODIES[CommandKind.TEXT]["text"]
        assert bubbles[CommandKind.IMAGE]["media"]["link"] == "https://files.example/a.jpg"
        if CommandKind.LIST in bubbles:
            (row,) = bubbles[CommandKind.LIST]["menu"]["sections"][0]["rows"]
            assert row == {"id": "1", "title": "One", "description": "first", "type": "list_reply"}
        if CommandKind.BUTTONS in bubbles:
            assert bubbles[CommandKind.BUTTONS]["buttons"] == [{"id": "y", "title": "Yes", "type": "button_reply"}]

    with_both(test)


@pytest.mark.parametrize("path", ["/chat", "/chat.js", "/_sandbox/accounts", "/_sandbox/chat", "/_sandbox/file?id=1"])
def test_a_site_that_takes_this_machines_address_gets_nothing(path: str) -> None:
    """A page of a stranger could read what is said to a bot (DNS rebinding)."""

    async def test(client: Client, _: Ingress) -> None:
        status, answer = await client.call("GET", path, headers={"Host": "evil.example:8090"})
        assert (status, "for this machine" in answer["error"]) == (403, True)

    with_both(test)


def test_accounts_are_listed_without_their_secrets() -> None:
    """A token would be on a page, and in whatever keeps it."""

    async def test(client: Client, _: Ingress) -> None:
        found = await client.get("accounts")
        assert [each["account"] for each in found] == [each.id for each in SAMPLE_ACCOUNTS]
        secrets = [secret for each in SAMPLE_ACCOUNTS for secret in (each.token, each.webhook_secret)]
        assert not [secret for secret in secrets if secret in str(found)]

    with_both(test)


@NEEDS_BROWSER
def test_a_person_writes_taps_and_sees() -> None:
    """The page would be dead where its script fails, become what a bot writes, or tell others of what is said."""

    async def test(client: Client, ingress: Ingress) -> None:
        async with tab() as page:
            await page.open(f"{client.url}/chat")
            await page.wait_for("document.querySelector('.empty') !== null")
            await page.run("document.querySelector('#text').value = 'hello'")
            await page.run("document.querySelector('#say button').click()")
            await page.wait_for("document.querySelector('.user .text')?.textContent === 'hello'")
            (mine,) = [each["message_id"] for each in await client.get("received")]
            await said(client, "text", {"body": "<img src=x onerror=alert(1)> " + "long " * 700})
            await said(client, "reaction", {"message_id": mine, "emoji": "👍"})
            await said(client, "interactive", BUTTONS)
            await said(client, "interactive", MENU)
            await said(client, "document", {"link": "https://files.example/a.pdf", "filename": "a.pdf"})
            await page.wait_for("document.querySelectorAll('.bot .ticks.read').length === 4")
            assert await page.run("document.querySelectorAll('img').length") == 0
            assert await page.run("document.querySelector('.user .reaction').textContent") == "👍"
            await page.run("document.querySelector('.bot .choices button').click()")
            await page.run("document.querySelector('summary').click()")
            await page.run("document.querySelector('details .row').click()")
            await page.wait_for("document.querySelectorAll('.user').length === 3")
            taps = [each["content"] for each in await client.get("received")][1:]
            assert taps == [
                {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}},
                {"type": "list_reply", "list_reply": {"id": "chai", "title": "Chai", "description": "6 euros"}},
            ]
            assert all(each.startswith(client.url) for each in page.requested if not each.startswith("data:"))
            assert page.errors == []
        assert len(ingress.bodies) >= 3

    with_both(test, statuses=QUICK)


def test_a_file_is_shown_to_the_page_of_its_account_only() -> None:
    """A picture would be a broken one, or a document a page of the sandbox's own origin."""

    async def test(client: Client, _: Ingress) -> None:
        upload = f"/v23.0/{ACCOUNT.id}/media"
        form = "--e\r\nContent-Disposition: form-data; name=messaging_product\r\n\r\nwhatsapp\r\n--e\r\n"
        form += "Content-Disposition: form-data; name=file; filename=a\r\nContent-Type: {}\r\n\r\nbytes\r\n--e--\r\n"
        shown = {}
        for mime in ("image/png", "text/plain"):
            headers = {**TOKEN, "Content-Type": "multipart/form-data; boundary=e"}
            body = form.format(mime).encode()
            async with client.session.post(client.url + upload, data=body, headers=headers) as response:
                media_id = (await response.json())["id"]
            query = {"provider": "cloud", "account": ACCOUNT.id, "id": media_id}
            async with client.session.get(f"{client.url}/_sandbox/file", params=query) as response:
                assert (await response.read(), response.content_type) == (b"bytes", mime)
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                shown[mime] = response.headers.get("Content-Disposition")
            status, _answer = await client.call("GET", f"/_sandbox/file?provider=waha&id={media_id}")
            assert status == 400
        assert shown == {"image/png": None, "text/plain": "attachment"}

    with_both(test)
