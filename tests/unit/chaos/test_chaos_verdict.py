"""The verdict of a chaos run: each kind of wrong is seen, and nothing else is."""

from __future__ import annotations

import pytest

from chaos.accounts import NUMBERS
from chaos.evidence import Effect, Evidence, Row
from chaos.verdict import Verdict, judge
from chaos.webhooks import ASIDE, Contact, Message

ANA, BEN = Contact(NUMBERS[0], "15550000001"), Contact(NUMBERS[1], "15550000002")
INPUTS = [Message(ANA, 0, "0"), Message(ANA, 1, "1"), Message(BEN, 0, "0")]
ROWS = {("ash", ANA.phone): Row(2, [0, 1]), ("ash", BEN.phone): Row(1, [0])}


def effect(contact: Contact, place: int, command: str = "cmd-1", at: float = 0.0) -> Effect:
    return Effect(contact.number.id, contact.phone, place, command, at)


ALL = [effect(ANA, 0), effect(BEN, 0), effect(ANA, 1)]


def evidence(
    effects: list[Effect] = ALL, rows: dict[tuple[str, str], Row] = ROWS, outcomes: dict[str, list[str]] | None = None
) -> Evidence:
    return Evidence(effects, rows, outcomes or {"cmd-1": ["accepted"], "cmd-2": ["accepted"]}, [], [])


def wrong(verdict: Verdict) -> set[str]:
    return {name for name, lines in verdict.findings().items() if lines}


def test_one_effect_each_in_order_is_good() -> None:
    """A harness that cries wolf is soon not listened to."""
    assert judge(INPUTS, evidence()).good


@pytest.mark.parametrize(
    ("effects", "finding", "said"),
    [
        (ALL[:2], "missing", f"wamid.chaos.{ANA.number.id}.{ANA.phone}.1"),
        ([*ALL, effect(ANA, 1, "cmd-2", 3.0)], "double", "cmd-2 at 3.000"),
        ([*ALL, effect(BEN, 1)], "unasked", f"wamid.chaos.{BEN.number.id}.{BEN.phone}.1"),
        ([ALL[2], ALL[0], ALL[1]], "disordered", f"{ANA.phone}.0 came after 1"),
    ],
)
def test_what_is_wrong_with_the_effects_is_named_by_the_input(effects: list[Effect], finding: str, said: str) -> None:
    """A lost or doubled answer would pass, or nobody could tell which it was."""
    verdict = judge(INPUTS, evidence(effects))
    assert wrong(verdict) == {finding}
    assert said in verdict.findings()[finding][0]


def test_an_aside_is_to_have_no_effect_and_one_that_has_is_found() -> None:
    """A pipeline that handles again what had no effect would pass as long as it doubles no other message."""
    inputs = [*INPUTS, Message(ANA, 1, f"1 {ASIDE}")]
    assert judge(inputs, evidence()).good
    rows = {**ROWS, ("ash", ANA.phone): Row(3, [0, 1, 1])}
    assert wrong(judge(inputs, evidence([*ALL, effect(ANA, 1, "cmd-2")], rows))) == {"double", "state"}


@pytest.mark.parametrize("row", [Row(3, [0, 1]), Row(2, [1, 0]), Row(2, [0]), Row(2, [0, 1, 1])])
def test_a_row_that_is_not_what_the_messages_make_of_it_is_wrong(row: Row) -> None:
    """A handler that ran twice for one event would pass as long as its answer was sent once."""
    assert wrong(judge(INPUTS, evidence(rows={**ROWS, ("ash", ANA.phone): row}))) == {"state"}


def test_a_message_that_crashes_its_handler_is_a_dead_letter_and_has_no_effect() -> None:
    """A run would pass in which a crashing message was lost, answered, or another one given up for it."""
    killer = Message(ANA, 2, "2 !abort")
    good = evidence()._replace(given_up=frozenset({killer.id}))
    assert judge([*INPUTS, killer], good).good
    assert wrong(judge([*INPUTS, killer], evidence())) == {"spared"}
    assert wrong(judge(INPUTS, good)) == {"spared"}
    assert wrong(judge([*INPUTS, killer], good._replace(effects=[*ALL, effect(ANA, 2)]))) == {"unasked"}


def test_a_row_of_nobody_and_a_missing_row_are_wrong() -> None:
    """State under the wrong person's name would pass."""
    assert wrong(judge(INPUTS, evidence(rows={**ROWS, ("ash", "1"): Row(1, [0])}))) == {"state"}
    assert wrong(judge(INPUTS, evidence(rows={("ash", ANA.phone): ROWS["ash", ANA.phone]}))) == {"state"}


def test_an_outcome_that_tells_another_story_is_wrong() -> None:
    """The topic of outcomes would tell its readers of a failure that was none."""
    assert wrong(judge(INPUTS, evidence(outcomes={"cmd-1": ["unknown"]}))) == {"unaccepted"}


def test_an_effect_without_an_outcome_is_wrong() -> None:
    """A send that the messenger forgot to tell of would pass, and its readers would wait for it for ever."""
    assert wrong(judge(INPUTS, evidence(outcomes={"cmd-2": ["accepted"]}))) == {"unaccepted"}


def test_what_never_came_to_rest_is_wrong() -> None:
    """A pipeline that stands still with work left would pass as long as the rest was done."""
    assert wrong(judge(INPUTS, evidence(), ["group intake has 1 records to finish"])) == {"restless"}


def test_what_was_to_happen_and_did_not_is_wrong() -> None:
    """A run in which nothing was parked would pass for a proof that parking loses nothing."""
    assert wrong(judge(INPUTS, evidence(), untested=["the handlers parked nothing"])) == {"untested"}
