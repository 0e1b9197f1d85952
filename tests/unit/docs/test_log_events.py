"""docs/operations.md lists every log event: operators search and alert by these names."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support import log_events
from tests.support.log_events import BEGIN, END, IDENTIFIER, PAGE, LogEvent, documented, events

SENTENCES = """
import logging

class Watch:
    def look(self) -> None:
        self._log.error("disk_full", detail="make room", bytes=1)
        self._tell("row_kept" if self.kept else "row_lost")
        logger.warning("paused: %s", "no answer")
        self._other.warning("of a library")

    def _tell(self, event: str) -> None:
        log.info(event)
"""


def test_events_are_identifiers() -> None:
    """An alert on a sentence would be silent after somebody rewords it."""
    assert [event.name for event in events() if not IDENTIFIER.fullmatch(event.name)] == []


def test_the_page_lists_every_event_with_its_meaning() -> None:
    """Whoever is woken by an event would find nothing about it."""
    listed = documented(PAGE.read_text())
    assert set(listed) == {(event.name, event.level) for event in events()}, "python -m tests.support.log_events"
    assert [name for (name, _), meaning in listed.items() if not meaning] == []


def test_events_are_found_however_they_are_logged() -> None:
    """An event that a function is given would not be listed."""
    assert set(log_events._events(ast.parse(SENTENCES))) == {
        LogEvent("disk_full", "error", "make room"),
        LogEvent("row_kept", "info", ""),
        LogEvent("row_lost", "info", ""),
        LogEvent("paused", "warning", ""),
    }


def test_meanings_are_kept_when_the_table_is_written(tmp_path: Path) -> None:
    """A regenerated table would lose what people have written."""
    page = tmp_path / "page.md"
    row = "| `ingress_listening` | info | somebody's words |"
    page.write_text(f"before\n{BEGIN}\n{row}\n| `gone` | info | old |\n{END}\nafter\n")
    missing = log_events.write(page)
    text = page.read_text()
    assert row in text and "`gone`" not in text
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert set(missing) == {event.name for event in events() if not event.detail} - {"ingress_listening"}
