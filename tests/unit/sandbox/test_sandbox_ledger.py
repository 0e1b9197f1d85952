"""The sandbox's ledger."""

from __future__ import annotations

import orjson

from pipeline.sandbox.ledger import Journal, Ledger, ReadMark, SentMessage


def sent(number: int, account: str = "a", to: str = "15550001111") -> SentMessage:
    return SentMessage("cloud", account, to, "text", '{"body":"hello"}', f"wamid.{number}", None, float(number))


def journal(*rows: SentMessage, cap: int = 100) -> Journal:
    made = Journal(cap)
    for row in rows:
        made.add(row)
    return made


def test_a_journal_forgets_its_oldest_rows_and_says_how_many() -> None:
    """A long load would fill the memory, or a count would be taken for whole when it is not."""
    made = journal(*(sent(number) for number in range(5)), cap=3)
    assert [row.at for row in made] == [2, 3, 4]
    assert made.counts() == {"total": 5, "forgotten": 2}


def test_rows_are_selected_by_account_recipient_and_time() -> None:
    """A script that polls for its own messages would be given everybody's."""
    made = journal(sent(1), sent(2, account="b"), sent(3, to="15550002222"), sent(4))
    assert [row.at for row in made.select("a", None, None)] == [1, 3, 4]
    assert [row.at for row in made.select(None, "15550002222", None)] == [3]
    assert [row.at for row in made.select("a", "15550001111", 1.0)] == [4]


def test_a_read_mark_has_no_recipient_to_select_by() -> None:
    """A filter by recipient would fail on read marks instead of finding none."""
    made = Journal(10)
    made.add(ReadMark("cloud", "a", "wamid.1", False, 1.0))
    assert made.select(None, "15550001111", None) == []


def test_an_entry_shows_the_content_as_the_object_it_was() -> None:
    """Readers of `/_sandbox/sent` would have to parse JSON inside JSON."""
    entry = orjson.loads(orjson.dumps(sent(1).entry()))
    assert entry == {
        "provider": "cloud",
        "account": "a",
        "to": "15550001111",
        "type": "text",
        "body": {"body": "hello"},
        "message_id": "wamid.1",
        "command_id": None,
        "at": 1.0,
    }


def test_clearing_one_journal_leaves_the_others() -> None:
    """A test that empties what was sent would lose the violations it is about to check."""
    ledger = Ledger(10)
    ledger.sent.add(sent(1))
    ledger.reads.add(ReadMark("cloud", "a", "wamid.1", False, 1.0))
    ledger.journal("sent").clear()
    assert ledger.counts()["sent"]["total"] == 0
    assert ledger.counts()["reads"]["total"] == 1


def test_the_last_rows_come_newest_first() -> None:
    """The page would show what was sent first instead of what was sent last."""
    made = journal(*(sent(number) for number in range(5)))
    assert [row.at for row in made.last(2)] == [4, 3]
