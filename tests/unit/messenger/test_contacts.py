"""What is known of people: who wrote when, and who declined, whatever comes twice, late or by another name."""

from __future__ import annotations

import itertools

import pytest

from pipeline.messenger.contacts import RESOLUTION, Contact, contact_key, find_contact, note_inbound
from pipeline.topics.receipts import Inbound

ACCOUNT, PHONE, USER = "cloud:1", "15550001111", "US.4815162342108"
NOW = 1_767_268_800


class Rows(dict[str, bytes]):
    """A table in memory that counts its writes."""

    writes = 0

    def put(self, key: str, value: bytes) -> None:
        self.writes += 1
        self[key] = value


def _known(rows: Rows, name: str = PHONE) -> Contact:
    return find_contact(ACCOUNT, name, rows)


def test_nobody_is_known_at_first() -> None:
    """A person who was never seen would be taken for one who wrote in 1970, and refused."""
    assert _known(Rows()) == Contact()


def test_the_last_message_counts_in_any_order() -> None:
    """A webhook that is days late would close a window that is open."""
    for order in itertools.permutations([NOW - 90_000, NOW, NOW - 3600]):
        rows = Rows()
        for at in order:
            note_inbound(ACCOUNT, Inbound(last={PHONE: at}), rows)
        assert _known(rows).last == NOW


def test_a_chat_costs_one_row_a_minute() -> None:
    """Every message of every chat would be a record on the changelog."""
    rows = Rows()
    for second in range(RESOLUTION):
        note_inbound(ACCOUNT, Inbound(last={PHONE: NOW + second}), rows)
    assert rows.writes == 1
    note_inbound(ACCOUNT, Inbound(last={PHONE: NOW + RESOLUTION}), rows)
    assert _known(rows).last == NOW + RESOLUTION


@pytest.mark.parametrize("name", [PHONE, USER])
def test_both_names_of_a_person_know_what_either_did(name: str) -> None:
    """Who hides the number after a while would be refused an answer, or get the marketing that was declined."""
    rows = Rows()
    note_inbound(ACCOUNT, Inbound(last={USER: NOW - 200_000}, same={USER: PHONE}), rows)
    note_inbound(ACCOUNT, Inbound(last={USER: NOW}), rows)
    note_inbound(ACCOUNT, Inbound(wishes={PHONE: (False, NOW)}), rows)
    found = _known(rows, name)
    assert (found.last, found.declined) == (NOW, True)


def test_the_last_wish_counts_in_any_order() -> None:
    """Who said stop would get marketing, because an older webhook came later."""
    wishes = [(False, NOW - 10), (True, NOW - 5), (False, NOW)]
    for order in itertools.permutations(wishes):
        rows = Rows()
        for wish in order:
            note_inbound(ACCOUNT, Inbound(wishes={PHONE: wish}), rows)
        assert _known(rows).declined


def test_noting_it_again_writes_nothing() -> None:
    """A batch that is run again after a crash would be written again."""
    rows = Rows()
    inbound = Inbound(messages=1, last={USER: NOW}, entry={USER: NOW}, same={USER: PHONE}, wishes={USER: (False, NOW)})
    note_inbound(ACCOUNT, inbound, rows)
    written = rows.writes
    note_inbound(ACCOUNT, inbound, rows)
    assert rows.writes == written == 2


def test_accounts_do_not_share_people() -> None:
    """One tenant's number would be refused for what a person said to another's."""
    rows = Rows()
    note_inbound("cloud:2", Inbound(wishes={PHONE: (False, NOW)}), rows)
    assert _known(rows) == Contact()
    assert list(rows) == [contact_key("cloud:2", PHONE)]
