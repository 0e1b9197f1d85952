"""People who come from Wappa find every name of its messenger."""

from __future__ import annotations

from pathlib import Path

from tests.support import names

PAGE = Path(__file__).parents[3] / "docs" / "wappa-compatibility.md"


def test_no_name_is_missing_without_a_reason() -> None:
    """A handler written for either generation of Wappa would end in an AttributeError or a TypeError."""
    missing = {f"{row.owner}.{row.name}" for row in names.rows() if not row.here}
    assert missing == set(names.REASONS)


def test_the_page_is_what_the_code_says() -> None:
    """The page would promise names that are gone. `python -m tests.support.names > docs/wappa-compatibility.md`."""
    assert PAGE.read_text() == names.table()


def test_a_parameter_in_another_place_is_noticed() -> None:
    """A swapped argument would send a text to itself, and the table would still say that all is well."""
    assert names.has("IMessenger", "send_text", ["text", "recipient"])
    assert not names.has("IMessenger", "send_text", ["recipient", "text"])
    assert not names.has("IMessenger", "send_text", ["text", "recipient", "colour"])
    assert not names.has("IMessenger", "send_hologram", [])


def test_a_call_of_a_cache_that_means_something_else_is_noticed() -> None:
    """A table would say that a call works which reaches another row, or none."""
    assert names.has("IUserCache", "update_field", ["field", "value", "ttl"])
    assert names.has("ITableCache", "get", ["table_name", "pkid", "models"])
    assert not names.has("ITableCache", "get", ["pkid", "table_name", "models"])
    assert not names.has("IUserCache", "get", ["field"])
    assert not names.has("IStateCache", "upsert", ["data", "handler_name"])
    assert not names.has("IExpiryCache", "renew_ttl", ["ttl"])
