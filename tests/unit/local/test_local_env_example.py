""".env.example: what a person copies and changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.settings import Settings

EXAMPLE = Path(__file__).parents[3] / ".env.example"
VARIABLES = re.findall(r"^#(PIPELINE_\w+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "value"), VARIABLES)
def test_each_variable_is_a_setting_with_its_default(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person would change a variable that nothing reads, or be told a default that isn't."""
    field = name.removeprefix("PIPELINE_").lower()
    monkeypatch.delenv(name, raising=False)
    default = getattr(Settings(_env_file=None), field)
    monkeypatch.setenv(name, value)
    assert getattr(Settings(_env_file=None), field) == default or default is None


def test_every_setting_is_there_and_says_what_it_is() -> None:
    """A setting that nobody is told of might as well not exist."""
    assert {name.removeprefix("PIPELINE_").lower() for name, _ in VARIABLES} == set(Settings.model_fields)
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_copy_changes_nothing() -> None:
    """`cp .env.example .env` would change what runs before anybody has edited it."""
    lines = EXAMPLE.read_text().splitlines()
    assert VARIABLES
    assert [line for line in lines if line and not line.startswith("#")] == []
