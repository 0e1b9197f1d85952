"""The handler of a chaos run: what it ignores, and what becomes of that when it is handled behind a later message."""

from __future__ import annotations

from chaos.handler import RecordingHandler
from chaos.webhooks import ASIDE
from pipeline.testing import HandlerDriver, incoming_text


def test_an_aside_is_ignored_in_its_place_and_nowhere_else() -> None:
    """A run would not see that an event which had no effect was handled again behind a later one."""
    driver = HandlerDriver(RecordingHandler())
    for said in (f"0 {ASIDE}", "0", f"1 {ASIDE}", "1"):
        driver.handle(incoming_text(said))
    assert driver.texts == ["0", "1"]
    driver.handle(incoming_text(f"1 {ASIDE}"))
    assert driver.texts == ["0", "1", "1"]
