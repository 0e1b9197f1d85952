"""docs/providers.md says what the providers' tests show."""

from __future__ import annotations

from tests.unit.provider_table import BEGIN, END, PAGE, page


def test_the_table_is_that_of_the_code() -> None:
    """Somebody would write a handler for an event that comes by another name."""
    text = PAGE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    assert page(text) == text, "run `python -m tests.unit.provider_table` and check the difference in"
