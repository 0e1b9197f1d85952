"""The handler of a chaos run: what it ignores, and what becomes of that when it is handled behind a later message."""

from __future__ import annotations

import orjson

from chaos.evidence import Row, _row
from chaos.handler import BLOCK, RecordingHandler, block
from chaos.webhooks import ASIDE, BUSY
from pipeline.testing import HandlerDriver, incoming_text


def test_an_aside_is_ignored_in_its_place_and_nowhere_else() -> None:
    """A run would not see that an event which had no effect was handled again behind a later one."""
    driver = HandlerDriver(RecordingHandler())
    for said in (f"0 {ASIDE}", "0", f"1 {ASIDE}", "1"):
        driver.handle(incoming_text(said))
    assert driver.texts == ["0", "1"]
    driver.handle(incoming_text(f"1 {ASIDE}"))
    assert driver.texts == ["0", "1", "1"]


def test_a_message_that_takes_a_moment_sends_nothing_but_its_place() -> None:
    """The hot conversation would send read marks as well, and be twice as hot as the report says."""
    driver = HandlerDriver(RecordingHandler())
    driver.handle(incoming_text(f"0 {BUSY}"))
    assert [command.body["text"] for command in driver.sent] == driver.texts == ["0"]


def test_the_places_of_a_long_conversation_are_read_in_the_order_in_which_they_were_handled() -> None:
    """A message that was handled behind later ones would be put back into its place by the harness itself."""
    handled = [*range(1, BLOCK + 1), 0, *range(BLOCK + 1, BLOCK + 5)]
    fields: dict[bytes, bytes] = {b"count": b"%d" % len(handled)}
    for counted, place in enumerate(handled, 1):
        name = block(counted).encode()
        fields[name] = orjson.dumps([*orjson.loads(fields.get(name, b"[]")), place])
    assert len(fields) == 3
    assert _row(fields) == Row(len(handled), handled)
