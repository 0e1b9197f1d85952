"""docs/providers.md says what the providers' tests show."""

from __future__ import annotations

from tests.support.provider_table import BEGIN, END, PAGE, SENDS, SENDS_END, page


def test_the_tables_are_those_of_the_code() -> None:
    """Somebody would write a handler for an event that comes by another name, or send what the provider can't."""
    text = PAGE.read_text()
    assert [text.count(mark) for mark in (SENDS, SENDS_END, BEGIN, END)] == [1] * 4
    assert page(text) == text, "run `python -m tests.support.provider_table` and check the difference in"
