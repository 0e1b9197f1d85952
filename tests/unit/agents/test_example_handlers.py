"""The example handlers, with `pipeline.testing` as their users would test their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from pipeline.agents.handlers.commands import CommandsHandler
from pipeline.agents.handlers.customer_service import HOURS, SUPPORT, CustomerServiceHandler
from pipeline.agents.handlers.echo import EchoHandler
from pipeline.agents.handlers.lookup import LookupHandler
from pipeline.agents.handlers.order import HOUR, OrderHandler
from pipeline.errors import ConfigurationError, Unavailable
from pipeline.handlers.loading import load_handler
from pipeline.testing import AgentConformance, HandlerDriver, incoming_image, incoming_selection, incoming_text
from pipeline.topics.events import EventBase
from tests.support.waiting import HANG

ROOT = Path(__file__).parents[3]
OTHER = "15550002222"
ORDER = "What would you like to order?"


class TestEcho(AgentConformance):
    agent = EchoHandler()

    def events(self, user: str) -> list[EventBase]:
        return [incoming_text(word, from_=user) for word in ("one", "two")]


class TestMenu(AgentConformance):
    agent = CustomerServiceHandler()

    def events(self, user: str) -> list[EventBase]:
        return [incoming_text("hello", from_=user), incoming_selection("location", from_=user)]


class TestOrder(AgentConformance):
    agent = OrderHandler()

    def events(self, user: str) -> list[EventBase]:
        steps = [incoming_text("hi", from_=user), incoming_selection("pizza", from_=user)]
        return [*steps, incoming_text("3", from_=user), incoming_selection("yes", from_=user)]


class TestCommands(AgentConformance):
    agent = CommandsHandler()

    def events(self, user: str) -> list[EventBase]:
        return [incoming_text(word, from_=user) for word in ("/start", "/settings es", "/start", "/fly")]


@pytest.mark.parametrize("provider", ["cloud", "wasender", "wawp", "waha"])
def test_echo_answers_texts_of_every_provider(provider: str) -> None:
    """The first handler that anybody runs would work with one provider only."""
    driver = HandlerDriver(EchoHandler())
    driver.handle(incoming_text("hi", provider=provider))
    assert driver.texts == ["You said: hi"]
    assert driver.sent[0].kind == "read"
    driver.handle(incoming_image("nice", provider=provider))
    assert driver.texts == ["You said: hi"]


def test_the_menu_answers_words_and_taps_and_is_shown_for_the_rest() -> None:
    """A user who taps a button would get the menu again instead of the answer."""
    driver = HandlerDriver(CustomerServiceHandler())
    driver.handle(incoming_text("When are your HOURS?"), incoming_selection("hours"), incoming_selection("support"))
    assert driver.texts == [HOURS, HOURS, SUPPORT]
    driver.handle(incoming_selection("location", listed=True))
    assert driver.of_kind("location")[0].body["name"] == "Find us here!"
    driver.handle(incoming_text("hello"), incoming_image())
    menus = [[button["id"] for button in menu.body["buttons"]] for menu in driver.of_kind("buttons")]
    assert menus == [["hours", "location", "support"]] * 2


def test_an_order_goes_through_its_steps() -> None:
    """A step that forgets the one before would order nothing, or something else."""
    driver = HandlerDriver(OrderHandler())
    driver.handle(incoming_text("hi"), incoming_text("soup"), incoming_selection("pizza"), incoming_text("lots"))
    driver.handle(incoming_text("3"))
    assert driver.state("order") == {"step": "confirm", "dish": "pizza", "count": 3}
    driver.handle(incoming_selection("yes"))
    assert driver.texts[:4] == [ORDER, ORDER, "How many of Pizza?", "A number from 1 to 20, please."]
    assert driver.texts[4:] == ["3 x Pizza: order now?", "✅ 3 x Pizza on the way!"]
    assert driver.state("order") is None
    assert driver.user_data("orders") == {"placed": [{"dish": "pizza", "count": 3}]}


def test_an_order_can_be_left() -> None:
    """Who says no, or goes to lunch, would find an order half made."""
    driver = HandlerDriver(OrderHandler())
    driver.handle(incoming_text("hi"), incoming_selection("salad"), incoming_text("1"), incoming_selection("no"))
    assert driver.texts[-1] == "Nothing was ordered."
    assert driver.user_data("orders") is None
    driver.handle(incoming_text("hi"), incoming_selection("salad"))
    driver.advance(HOUR + 1)
    driver.handle(incoming_text("2"))
    assert driver.texts[-1] == ORDER


def test_orders_of_two_people_are_two_orders() -> None:
    """One guest's step would be taken for another's."""
    driver = HandlerDriver(OrderHandler())
    driver.handle_at_once(incoming_text("hi"), incoming_text("hi", from_=OTHER))
    driver.handle_at_once(incoming_selection("pizza"), incoming_selection("salad", from_=OTHER))
    assert driver.state("order") == {"step": "count", "dish": "pizza"}
    assert driver.state("order", OTHER) == {"step": "count", "dish": "salad"}


def test_commands_are_found_in_the_map() -> None:
    """A command in capitals or with an argument would be unknown."""
    driver = HandlerDriver(CommandsHandler())
    driver.handle(incoming_text("/START", name="Ana"), incoming_text("/start", name="Ana"))
    assert driver.texts == ["Welcome, Ana!", "Welcome back, Ana!"]
    driver.handle(incoming_text("/settings es"), incoming_text("/settings"), incoming_text("/settings", from_=OTHER))
    assert driver.texts[2:] == ["Language: es", "Language: es", "Language: en"]
    driver.handle(incoming_text("/fly"), incoming_text("hello"), incoming_text("/help"))
    assert driver.texts[5:7] == ["Unknown command: /fly. Try /help.", "Write /help to see what I can do."]


def test_a_slow_service_is_asked_for_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that takes its time would hold up everybody, or its failure would lose a question."""
    asked: list[str] = []
    together = asyncio.Event()
    driver = HandlerDriver(LookupHandler())

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.headers["Idempotency-Key"])
        if request.query["q"] == "broken":
            return web.Response(status=503)
        if len(asked) == 3:
            together.set()
        await asyncio.wait_for(together.wait(), HANG)
        return web.json_response({"answer": request.query["q"].upper()})

    async def body() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            monkeypatch.setenv("LOOKUP_URL", f"http://127.0.0.1:{runner.addresses[0][1]}/")
            events = [incoming_text(word, from_=f"1555000{number}") for number, word in enumerate("abc")]
            await driver.handle_all(*events)
            assert sorted(asked) == sorted(event.event_id for event in events)
            with pytest.raises(Unavailable, match="does not answer"):
                await driver.handle_all(incoming_text("broken"))
        finally:
            await runner.cleanup()

    asyncio.run(body())
    assert sorted(driver.texts) == ["A", "B", "C"]


def test_a_lookup_without_its_service_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its author would read `KeyError` and search for it."""
    monkeypatch.delenv("LOOKUP_URL", raising=False)
    with pytest.raises(ConfigurationError, match="LOOKUP_URL is not set"):
        HandlerDriver(LookupHandler()).handle(incoming_text("hi"))


def test_the_sample_tenants_name_every_example() -> None:
    """Whoever takes a comment sign away would get a worker that does not start."""
    text = (ROOT / "examples/tenants.yaml").read_text()
    named = [line.split("handler:")[1].split("#")[0].strip() for line in text.splitlines() if "# handler:" in line]
    files = {path.stem for path in (ROOT / "agents/handlers").glob("*.py")} - {"__init__"}
    assert {path.split(".")[-2] for path in named} == files
    for path in named:
        load_handler(path)
        chosen = yaml.safe_load(text.replace(f"# handler: {path}", f"handler: {path}"))["tenants"][0]
        assert chosen["handler"] == path
