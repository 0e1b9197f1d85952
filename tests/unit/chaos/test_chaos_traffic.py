"""The traffic of a chaos run: replayable, with all that platforms do, and such that the pipeline reads it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from chaos.accounts import NUMBERS, write_accounts, write_tenants
from chaos.handler import CRASHES
from chaos.options import Options
from chaos.traffic import Posting, traffic
from chaos.webhooks import Contact, Message, signed, webhook
from pipeline.providers import PROVIDERS
from pipeline.providers.base import WebhookRequest
from pipeline.sandbox.config import load_accounts
from pipeline.tenants import load_tenants

OPTIONS = Options(seconds=30, rate=100, contacts=50)
POSTINGS = list(traffic(OPTIONS))


def test_a_seed_gives_the_same_traffic_again() -> None:
    """Without it, a run that lost an effect could not be had again."""
    assert list(traffic(OPTIONS)) == POSTINGS
    assert len(POSTINGS) == 3000


def test_crashing_messages_are_spread_evenly_and_change_nothing_else() -> None:
    """A run's crashes would come all at once, or it would prove less of everything else."""
    options = replace(OPTIONS, crashers=20)
    found = [posting for posting in traffic(options) if any(message.crashes for message in posting.messages)]
    assert [int(posting.at / 1.5) for posting in found] == list(range(20))
    assert {message.text.split(" !")[1] for posting in found for message in posting.messages} == set(CRASHES)
    assert not any(message.crashes for posting in POSTINGS for message in posting.messages)


def test_the_messages_of_a_contact_are_counted_from_0_without_a_gap() -> None:
    """The count of effects rests on it: a gap would read as a loss that was none."""
    places: dict[Contact, list[int]] = defaultdict(list)
    known: set[Message] = set()
    for message in (message for posting in POSTINGS for message in posting.messages):
        if message not in known and not message.aside:
            places[message.contact].append(message.place)
        known.add(message)
    assert all(found == list(range(len(found))) for found in places.values())


def test_there_is_everything_that_platforms_do() -> None:
    """A run that posts single messages only would prove nothing of batches, duplicates and slow handlers."""
    assert any(len(posting.contacts) > 2 for posting in POSTINGS)
    assert any(len({contact.number for contact in posting.contacts}) > 1 for posting in POSTINGS)
    assert any(len(posting.messages) > 1 and len(posting.contacts) == 1 for posting in POSTINGS)
    assert any(posting.copy_at_once for posting in POSTINGS)
    assert any(posting.copy_after is not None for posting in POSTINGS)
    assert any(" " in message.text for posting in POSTINGS for message in posting.messages)
    assert _batched_again(POSTINGS)


def test_a_contacts_messages_are_in_order_within_a_webhook() -> None:
    """The harness would post out of order and blame the pipeline."""
    for posting in POSTINGS:
        places: dict[Contact, list[int]] = defaultdict(list)
        for message in posting.messages:
            if not message.aside:
                places[message.contact].append(message.place)
        assert all(earlier < later for found in places.values() for earlier, later in pairwise(found))


def test_an_aside_comes_right_before_the_message_of_its_place() -> None:
    """The handler would take an aside for a late one that came in order, and the pipeline would be blamed."""
    said: dict[Contact, list[Message]] = defaultdict(list)
    for message in dict.fromkeys(message for posting in POSTINGS for message in posting.messages):
        said[message.contact].append(message)
    pairs = [(aside, after) for found in said.values() for aside, after in pairwise(found) if aside.aside]
    assert len(pairs) > 300
    assert all(aside.place == after.place and not after.aside for aside, after in pairs)
    assert all(aside.id != after.id for aside, after in pairs)


def test_the_pipeline_takes_every_webhook_for_authentic_and_finds_every_message_in_it(tmp_path: Path) -> None:
    """A harness whose webhooks are refused, or half understood, would count its own mistakes."""
    write_tenants(tmp_path / "tenants.yaml", "http://127.0.0.1:1")
    tenants, cloud = load_tenants(tmp_path / "tenants.yaml"), PROVIDERS["cloud"]
    for posting in POSTINGS[:300]:
        body = webhook(posting.messages)
        named = {name.lower(): value for name, value in signed(body).items()}
        request = WebhookRequest(body, named, {})
        assert cloud.authenticate(request, tenants)
        assert {part.key for part in cloud.split(request, tenants)} == {_key(contact) for contact in posting.contacts}


def test_the_sandbox_knows_the_numbers_of_the_tenants(tmp_path: Path) -> None:
    """Every send would be refused for a wrong token."""
    write_accounts(tmp_path / "accounts.json")
    assert [account.id for account in load_accounts(tmp_path / "accounts.json")] == [number.id for number in NUMBERS]


def _batched_again(postings: list[Posting]) -> int:
    known: set[Message] = set()
    again = 0
    for posting in postings:
        again += len(posting.messages) > 1 and bool(known & set(posting.messages))
        known.update(posting.messages)
    return again


def _key(contact: Contact) -> str:
    return f"cloud:{contact.number.id}:{contact.phone}"
