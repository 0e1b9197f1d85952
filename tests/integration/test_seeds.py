"""Every code block of the documents that people come with, on the real stack: one tenant each, all at once.

The stack is one that an application of Wappa's form has started: `Wappa(cache="redis")`, `set_event_handler`, `run`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import yaml

from pipeline.local.ports import Ports
from tests.observers import get, post, records, request
from tests.ports import free_ports
from tests.seed_pages import BLOCKS, PAGES
from tests.stacks import ROOT, Process, Stack, eventually
from tests.webhooks import signed, webhook

pytestmark = pytest.mark.integration
USER = "15550001111"
NUMBERS = {block: str(700_000_000_000_000 + number) for number, block in enumerate(BLOCKS)}
MEDIUM = {"id": "1234567890", "sha256": "c2hh", "mime_type": "image/jpeg"}
SLIPS = {"handlers__cache": "UnboundLocalError"}
"""Blocks that no Python runs: this one reads `user_data` before it is assigned."""

APPLICATION = """
from pipeline.wappa import Wappa, WappaEventHandler

class Greeter(WappaEventHandler):
    def __init__(self, greeting):
        super().__init__()
        self.greeting = greeting

    async def process_message(self, webhook):
        await self.messenger.send_text(self.greeting, webhook.user.user_id)

app = Wappa(cache="redis")
app.set_event_handler(Greeter("Welcome to the shop"))
app.run()
"""
OWN = "700000000099999"
"""The number whose tenant has no handler of its own, but the application's."""

Event = dict[str, Any]


class Shown(NamedTuple):
    """What happens to a block, and what must come of it.

    Attributes:
        says: what the user gets, in order: a text, or some of the values that the block's lines left behind.
        logs: what the log says of the tenant.
    """

    events: list[Event]
    says: list[str | dict[str, str]]
    logs: list[str]


def text(*said: str) -> list[Event]:
    return [{"text": each} for each in said]


def message(kind: str, content: object) -> Event:
    return {"type": kind, "content": content}


def tap(answer: str) -> Event:
    return message("interactive", {"type": "button_reply", "button_reply": {"id": answer, "title": "Get Help"}})


def told(**what: object) -> Event:
    """A part of a webhook's `value` that users don't write."""
    return {"value": what}


def raw(kind: str, content: object, **more: object) -> Event:
    """A message with fields that only the platform sets."""
    made = {"from": USER, "id": "wamid.seed", "timestamp": "1642678845", "type": kind, kind: content, **more}
    return told(messages=[made], contacts=[{"wa_id": USER, "profile": {"name": "Ana"}}])


def status(name: str, code: int | None = None, title: str = "Undeliverable") -> Event:
    errors = {} if code is None else {"errors": [{"code": code, "title": title}]}
    return told(
        statuses=[{"id": f"wamid.out.{code}", "status": name, "timestamp": "1", "recipient_id": USER, **errors}]
    )


def error(code: int, title: str) -> Event:
    return told(errors=[{"code": code, "title": title, "message": title}])


IMAGE = message("image", {**MEDIUM, "caption": "nice"})
PLACE = message("location", {"latitude": 40.7, "longitude": -73.9, "name": "Central Park", "address": "New York, NY"})
NAME = {"formatted_name": "Bo", "first_name": "Bo"}
CONTACT = message("contacts", [{"name": NAME, "phones": [{"phone": "+155500"}]}])
MENU = "What would you like to order?"
REPLY = {"from": "1555", "id": "wamid.before"}
SORRY = "❌ Sorry, something went wrong processing your message.\nPlease try again in a moment."
FINISHED = ["finished message"]

TABLE: dict[str, Shown] = {
    "events__message": Shown(text("hi"), ["You said: hi"], []),
    "events__status": Shown([status("delivered")], [], [f"Message delivered for {USER}"]),
    "events__error": Shown([error(130429, "Rate limit hit")], [], ["WhatsApp error: Rate limit hit"]),
    "events__text": Shown(text("Hello there!"), ["Echo: Hello there!"], []),
    "events__media": Shown([IMAGE], ["Nice image!"], []),
    "events__interactive": Shown([tap("help")], ["Here's help!"], []),
    "events__location": Shown([PLACE, CONTACT], ["Thanks for location: 40.7, -73.9", "Got 1 contacts!"], []),
    "events__memory": Shown(text("hi"), [], FINISHED),
    "events__json": Shown(text("hi"), [{"user_data": "{'step': 'ordering'}"}], []),
    "events__redis": Shown(text("hi"), [{"cart_data": "{'cart': ['item1', 'item2']}"}], []),
    "events__methods": Shown(text("hi"), [{"user_data": "{'key': 'value'}", "exists": "True"}], []),
    "events__echo": Shown(text("hi"), ["Echo: hi"], []),
    "events__customer": Shown(
        text("Your hours?", "location", "hi"),
        ["We're open Mon-Fri 9AM-6PM", "Find us here!", "How can I help you today?"],
        [],
    ),
    "events__order": Shown(
        text("hi", "pizza", "yes", "hi"), [MENU, "Add pizza to cart?", "✅ pizza added to cart!", MENU], []
    ),
    "events__robust": Shown(
        text("fail Anything"),
        ["Sorry, I had trouble processing that. Please try again!"],
        ["Message processing failed: as asked"],
    ),
    "events__platform_error": Shown(
        [error(131051, "Unsupported message type"), error(130429, "Rate limit hit"), error(1, "Other")],
        [],
        ["131051 - Unsupported", "this is normal", "implement backoff strategy", "Unexpected platform error"],
    ),
    "events__tracking": Shown([status("failed", 131026), status("read")], [], ["failed to deliver to", "was read by"]),
    "events__detection": Shown(text("hi"), [{"message_type": "text"}], []),
    "events__session": Shown(text("hi"), [], ["called _handle_main_menu"]),
    "events__recovery": Shown(
        text("fail ValidationError", "fail ExternalServiceError", "fail Anything"),
        [
            "Please check your input and try again.",
            "Service temporarily unavailable. We'll try again shortly.",
            "Something went wrong. Our team has been notified.",
        ],
        ["Unexpected error: as asked"],
    ),
    "events__properties": Shown([IMAGE], [{"user_id": USER}], []),
    "events__cache": Shown(text("hi"), [{"user_data": "{'step': 'ordering'}", "step": "ordering"}], []),
    "handlers__overview": Shown(
        [*text("hi"), status("read"), error(1, "Other")], ["Hello!"], [*FINISHED, "finished status", "finished error"]
    ),
    "handlers__echo": Shown(text("hi"), ["🔄 Echo: hi"], []),
    "handlers__advanced": Shown(
        [*text("/go", "hi"), status("delivered"), error(131051, "Unsupported message type")],
        [],
        [
            "called _handle_command",
            "called _handle_regular_message",
            f"Message delivered for {USER}",
            "WhatsApp error: 131051 - Unsupported message type",
        ],
    ),
    "handlers__injection": Shown(text("hi"), [], FINISHED),
    "handlers__extraction": Shown(
        [
            {**text("hi")[0], "name": "Ana"},
            raw("text", {"body": "and"}, context=REPLY),
        ],
        [
            {"user_id": USER, "user_name": "Ana", "message_text": "hi", "message_type": "text", "reply_to": "None"},
            {"reply_to": "wamid.before", "timestamp": "1642678845"},
        ],
        [],
    ),
    "handlers__acknowledgment": Shown(text("hi"), [{"user_id": USER}], []),
    "handlers__response": Shown(text("hi"), ["Your message here", {"user_id": USER}], ["Message sent: "]),
    "handlers__recovery": Shown(text("fail Anything"), [SORRY], ["Processing failed: as asked"]),
    "handlers__validation": Shown(text("hi"), [], FINISHED),
    "handlers__metrics": Shown(
        text("hi", "fail Anything"), [], ["called _handle_message", "Message processed in", "Processing failed after"]
    ),
    "handlers__commands": Shown(
        text("/help", "/fly", "hi"),
        ["Unknown command: /fly"],
        ["called _handle_help_command", "called _handle_regular_message"],
    ),
    "handlers__state": Shown(text("hi"), [], ["called _handle_new_conversation"]),
    "webhooks__message": Shown(text("hi"), [], FINISHED),
    "webhooks__status": Shown([status("failed", 131026, "Gone")], [], ["Failed: Gone", "finished status"]),
    "webhooks__error": Shown([error(131051, "Unsupported")], [], ["finished error"]),
    "webhooks__text": Shown(
        [raw("text", {"body": "Hello!"}, context=REPLY)],
        [{"text": "Hello!", "message_id": "wamid.seed", "original_id": "wamid.before"}],
        [],
    ),
    "webhooks__interactive": Shown(
        [tap("help_button")],
        [{"selection": "help_button", "option_title": "Get Help", "is_button": "True", "is_list": "False"}],
        [],
    ),
    "webhooks__media": Shown(
        [IMAGE, message("audio", {**MEDIUM, "mime_type": "audio/ogg; codecs=opus", "voice": True})],
        [{"media_id": MEDIUM["id"], "caption": "nice", "mime_type": "image/jpeg"}, {"is_voice": "True"}],
        [],
    ),
    "webhooks__location": Shown(
        [PLACE], [{"lat": "40.7", "lng": "-73.9", "address": "New York, NY", "name": "Central Park"}], []
    ),
    "webhooks__contact": Shown([CONTACT], [{"name": "Bo", "phone": "+155500"}], []),
    "webhooks__clean": Shown(text("hi"), [], FINISHED),
    "webhooks__types": Shown([*text("hi"), PLACE], [{"text": "hi"}, {"lat": "40.7", "lng": "-73.9"}], []),
    "webhooks__selections": Shown(
        [tap("help"), tap("product_7")], ["Here's help!", {}, {"product_id": "7"}], ["called show_product_details"]
    ),
    "webhooks__context": Shown(
        [
            raw("text", {"body": "look"}, context={"forwarded": True}),
            raw(
                "text",
                {"body": "this?"},
                id="wamid.product",
                context={"id": "w", "referred_product": {"catalog_id": "c", "product_retailer_id": "sku"}},
                referral={"source_id": "ad-1", "source_type": "ad", "source_url": "https://fb.me/x"},
            ),
        ],
        ["Thanks for forwarding that!", {}, {"product_id": "sku", "campaign_id": "ad-1"}],
        [],
    ),
    "webhooks__errors": Shown(
        [
            status("failed", 131051, "Unsupported"),
            status("failed", 130429, "Rate limit hit"),
            error(130429, "Rate limit hit"),
        ],
        [],
        ["unsupported message - normal", "Rate limited - implement backoff", "called schedule_retry"],
    ),
    "webhooks__odd_types": Shown(
        [raw("unsupported", {"type": "unknown"}, errors=[{"code": 131051, "title": "Unsupported message type"}])],
        ["Sorry, I can't process that type of message.", {}],
        [],
    ),
    "webhooks__odd_selections": Shown([*text("hi"), tap("x")], [{}, {"selection": "x"}], ["with no selection"]),
    "webhooks__large_media": Shown([IMAGE], [{"user_id": USER}], []),
    "webhooks__status_order": Shown([status("read")], [], ["finished status"]),
    "webhooks__raw_data": Shown(text("hi"), [], FINISHED),
    "webhooks__summary": Shown(text("hi"), [{"user_id": USER}], ["'webhook_type': 'incoming_message'"]),
    "webhooks__validation": Shown(text("hi"), [], FINISHED),
}


class Application(Stack):
    """The stack of `python shop.py`."""

    def __init__(self, place: Path) -> None:
        first = free_ports()
        self.ports, self.data_dir = Ports.starting_at(first), place / "data"
        (place / "shop.py").write_text(APPLICATION)
        env = {
            "PIPELINE_TENANTS": _tenants(place),
            "PIPELINE_SANDBOX_ACCOUNTS": _accounts(place),
            "PIPELINE_PORTS_FROM": str(first),
            "PIPELINE_DATA_DIR": str(self.data_dir),
            "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
        }
        Process.__init__(self, [sys.executable, str(place / "shop.py")], place / "up.out", env)


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """A stack whose tenants are the blocks, with every block's events on their way."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        stack = Application(place)
        try:
            stack.wait_ready()
            for block, shown in TABLE.items():
                for event in shown.events:
                    _happen(stack, NUMBERS[block], event)
            for number in (OWN, *(NUMBERS[block] for block in SLIPS)):
                _happen(stack, number, text("hi")[0])
            yield stack
        finally:
            stack.stop()


def _tenants(place: Path) -> str:
    tenants: list[dict[str, Any]] = [{"id": "shop", "accounts": [_account(OWN)]}]
    tenants += [
        {"id": block, "handler": f"tests.seed_pages:{block}", "accounts": [_account(number)]}
        for block, number in NUMBERS.items()
    ]
    app = {"id": "app", "app_secrets": ["sandbox-app-secret"], "verify_token": "v"}
    path = place / "tenants.yaml"
    path.write_text(yaml.safe_dump({"cloud_apps": [app], "tenants": tenants}))
    return str(path)


def _account(number: str) -> dict[str, str]:
    where = "env:PIPELINE_SANDBOX_URL"
    return {"provider": "cloud", "id": number, "business_id": f"9{number}", "token": "t", "base_url": where}


def _accounts(place: Path) -> str:
    known = {"provider": "cloud", "token": "t", "webhook_secret": "sandbox-app-secret"}
    numbers = (OWN, *NUMBERS.values())
    path = place / "accounts.json"
    path.write_bytes(orjson.dumps([known | {"id": each, "business_id": f"9{each}"} for each in numbers]))
    return str(path)


def _happen(stack: Stack, number: str, event: Event) -> None:
    if "value" not in event:
        answer = post(f"{stack.sandbox_url}/_sandbox/receive", {"account": number, "from": USER, **event})
        assert answer["status"] == 200
        return
    named = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": number, "display_phone_number": "1"}}
    body = webhook([{"field": "messages", "value": named | event["value"]}])
    assert request(f"{stack.ingress_url}/webhooks/cloud", body, signed(body)) == 200


def _said(stack: Stack, number: str) -> list[str]:
    return [_words(each) for each in get(f"{stack.sandbox_url}/_sandbox/sent") if each["account"] == number]


def _words(sent: dict[str, Any]) -> str:
    body = sent["body"]
    words = body.get("body") or body.get("name")
    return str(words["text"] if isinstance(words, dict) else words)


def _log(stack: Stack, block: str) -> str:
    return "\n".join(
        line for line in stack.log("handlers").splitlines() if f"tenant={block}" in line or "=" not in line
    )


def test_an_application_runs_with_the_handler_that_it_made(running: Stack) -> None:
    """Who moves over by the import line would get another handler than the one that was set, or none."""
    eventually(lambda: _said(running, OWN) == ["Welcome to the shop"], 15, "the application's answer")


def test_every_block_is_in_the_table() -> None:
    """A block that somebody adds would be shown as working and never run."""
    assert {*TABLE, *SLIPS} == set(BLOCKS)


@pytest.mark.parametrize("block", TABLE)
def test_a_block_works_as_its_page_shows(running: Stack, block: str) -> None:
    """Whoever copies this block from its page would find that it does not do here what the page says."""
    shown, number = TABLE[block], NUMBERS[block]
    eventually(lambda: len(_said(running, number)) >= len(shown.says), 15, f"{len(shown.says)} sends of {block}")
    said = _said(running, number)
    assert len(said) == len(shown.says), said
    for words, expected in zip(said, shown.says, strict=True):
        if isinstance(expected, str):
            assert words == expected
        else:
            assert json.loads(words).items() >= expected.items()
    for line in shown.logs:
        eventually(lambda line=line: line in _log(running, block), 20, f"{line!r} in the log")  # type: ignore[misc]


@pytest.mark.parametrize("block", SLIPS)
def test_a_block_that_python_refuses_loses_no_message(running: Stack, block: str) -> None:
    """A mistake in a handler would lose the user's message."""

    def letters() -> list[dict[str, bytes]]:
        found = [dict(record.headers) for record in records(running.bootstrap, "dead-letters.handle")]
        return [headers for headers in found if headers.get("tenant") == block.encode()]

    eventually(letters, 20, "the dead letter")
    assert [headers["error-type"].decode() for headers in letters()] == [SLIPS[block]]


def test_the_webhook_that_the_pages_show_is_what_they_say_of_it(running: Stack) -> None:
    """The example that everybody tries first would be refused."""
    shown = orjson.loads((PAGES / "webhooks" / "raw.json").read_bytes())
    number = NUMBERS["events__echo"]
    shown["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = number
    body = orjson.dumps(shown)
    assert request(f"{running.ingress_url}/webhooks/cloud", body, signed(body)) == 200
    eventually(lambda: "Echo: Hello there!" in _said(running, number), 20, "the answer")


def test_the_analytics_example_counts_each_tenants_own(running: Stack) -> None:
    """Whoever starts their own consumer from it would count another tenant's messages, or none."""
    number = NUMBERS["events__customer"]
    eventually(lambda: len(_said(running, number)) == 3, 15, "the customer's answers")
    done = subprocess.run(
        [sys.executable, "examples/analytics.py", "--once"],
        cwd=ROOT,
        env={**os.environ, "PIPELINE_KAFKA": running.bootstrap},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    counts: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        counts.update(json.loads(line).get("events__customer", {}))
    assert (counts["received message"], counts["commands.interactive"]) == (3, 3)
    assert "commands.bulk" not in counts
