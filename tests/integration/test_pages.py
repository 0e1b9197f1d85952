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
from typing import Any

import orjson
import pytest
import yaml

from pipeline.local.ports import Ports
from tests.support.observers import get, post, records, request
from tests.support.page_blocks import BLOCKS, PAGES
from tests.support.page_table import TABLE, USER, Event, text
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, Stack, eventually
from tests.support.waiting import HANG
from tests.support.webhooks import signed, webhook

pytestmark = pytest.mark.integration
NUMBERS = {block: str(700_000_000_000_000 + number) for number, block in enumerate(BLOCKS)}
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
        {"id": block, "handler": f"tests.support.page_blocks:{block}", "accounts": [_account(number)]}
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
    eventually(lambda: _said(running, OWN) == ["Welcome to the shop"], "the application's answer")


def test_every_block_is_in_the_table() -> None:
    """A block that somebody adds would be shown as working and never run."""
    assert {*TABLE, *SLIPS} == set(BLOCKS)


@pytest.mark.parametrize("block", TABLE)
def test_a_block_works_as_its_page_shows(running: Stack, block: str) -> None:
    """Whoever copies this block from its page would find that it does not do here what the page says."""
    shown, number = TABLE[block], NUMBERS[block]
    eventually(lambda: len(_said(running, number)) >= len(shown.says), f"{len(shown.says)} sends of {block}")
    said = _said(running, number)
    assert len(said) == len(shown.says), said
    for words, expected in zip(said, shown.says, strict=True):
        if isinstance(expected, str):
            assert words == expected
        else:
            assert json.loads(words).items() >= expected.items()
    for line in shown.logs:
        eventually(lambda line=line: line in _log(running, block), f"{line!r} in the log")  # type: ignore[misc]


@pytest.mark.parametrize("block", SLIPS)
def test_a_block_that_python_refuses_loses_no_message(running: Stack, block: str) -> None:
    """A mistake in a handler would lose the user's message."""

    def letters() -> list[dict[str, bytes]]:
        found = [dict(record.headers) for record in records(running.bootstrap, "dead-letters.handle")]
        return [headers for headers in found if headers.get("tenant") == block.encode()]

    eventually(letters, "the dead letter")
    assert [headers["error-type"].decode() for headers in letters()] == [SLIPS[block]]


def test_the_webhook_that_the_pages_show_is_what_they_say_of_it(running: Stack) -> None:
    """The example that everybody tries first would be refused."""
    shown = orjson.loads((PAGES / "webhooks" / "raw.json").read_bytes())
    number = NUMBERS["events__echo"]
    shown["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = number
    body = orjson.dumps(shown)
    assert request(f"{running.ingress_url}/webhooks/cloud", body, signed(body)) == 200
    eventually(lambda: "Echo: Hello there!" in _said(running, number), "the answer")


def test_the_analytics_example_counts_each_tenants_own(running: Stack) -> None:
    """Whoever starts their own consumer from it would count another tenant's messages, or none."""
    number = NUMBERS["events__customer"]
    eventually(lambda: len(_said(running, number)) == 3, "the customer's answers")
    done = subprocess.run(
        [sys.executable, "examples/analytics.py", "--once"],
        cwd=ROOT,
        env={**os.environ, "PIPELINE_KAFKA": running.bootstrap},
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG,
    )
    counts: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        counts.update(json.loads(line).get("events__customer", {}))
    assert (counts["received message"], counts["commands.interactive"]) == (3, 3)
    assert "commands.bulk" not in counts
