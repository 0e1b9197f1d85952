"""Lifetimes of commands: how long each may wait, and who may say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli._setup import require_lifetimes
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings, load_settings
from pipeline.tenants import load_tenants
from pipeline.topics.commands import IMMEDIATE, CommandKind, Priority
from pipeline.topics.lifetimes import DAY, DEFAULTS, GRACE, YEAR, lifetime, longest_lifetime, required_retention

KINDS = st.sampled_from(CommandKind)
PRIORITIES = st.sampled_from(Priority)
OVERRIDES = st.dictionaries(st.sampled_from([*map(str, CommandKind), *map(str, Priority)]), st.floats(0.001, YEAR))


@pytest.mark.parametrize(
    ("kind", "priority", "seconds"),
    [
        (CommandKind.TEXT, Priority.INTERACTIVE, 86_400),
        (CommandKind.EDIT, Priority.INTERACTIVE, 86_400),
        (CommandKind.TEXT, Priority.BULK, 259_200),
        (CommandKind.TEMPLATE, Priority.INTERACTIVE, 259_200),
        (CommandKind.TEMPLATE, Priority.BULK, 259_200),
        (CommandKind.READ, Priority.INTERACTIVE, 600),
        (CommandKind.READ, Priority.BULK, 600),
        (CommandKind.TYPING, Priority.INTERACTIVE, 60),
    ],
)
def test_each_kind_has_its_time(kind: CommandKind, priority: Priority, seconds: float) -> None:
    """An answer would go out after Meta's window has closed, or a campaign of two days lose its end."""
    assert lifetime(kind, priority) == seconds


@pytest.mark.parametrize(
    ("own", "common", "seconds"),
    [
        ({"template": 10.0}, {"template": 20.0}, 10),
        ({"bulk": 10.0}, {"template": 20.0}, 10),
        ({"interactive": 10.0}, {"template": 20.0}, 20),
        ({"template": 10.0, "bulk": 30.0}, {}, 10),
        ({}, {"bulk": 20.0}, 20),
        ({"text": 10.0}, {}, 259_200),
    ],
)
def test_the_nearest_word_counts(own: Mapping[str, float], common: Mapping[str, float], seconds: float) -> None:
    """A tenant whose campaigns take a week would lose them after the three days that all others have."""
    assert lifetime(CommandKind.TEMPLATE, Priority.BULK, own, common) == seconds


@given(PRIORITIES, st.sampled_from(sorted(IMMEDIATE)), OVERRIDES)
def test_a_priority_says_nothing_about_read_marks(
    priority: Priority, kind: CommandKind, overrides: dict[str, float]
) -> None:
    """A tenant that lets its answers wait for a week would show `typing` a week later."""
    named = {name: seconds for name, seconds in overrides.items() if name == kind}
    assert lifetime(kind, priority, overrides) == lifetime(kind, priority, named)


@given(KINDS, PRIORITIES, OVERRIDES, OVERRIDES, OVERRIDES)
def test_no_lifetime_is_longer_than_the_longest(
    kind: CommandKind, priority: Priority, own: dict[str, float], others: dict[str, float], common: dict[str, float]
) -> None:
    """Topics would remove a command of the one tenant whose lifetime nobody had counted."""
    found = lifetime(kind, priority, own, common)
    assert 0 < found <= longest_lifetime(common, [others, own]) <= YEAR
    assert required_retention(found) == found + GRACE


def test_a_kind_of_a_newer_version_has_the_time_of_its_priority() -> None:
    """A rolled back messenger would end at a command that it can't name."""
    newer = CommandKind("hologram")
    assert (lifetime(newer, Priority.BULK), lifetime(newer, Priority.INTERACTIVE)) == (3 * DAY, DAY)


def test_the_setting_and_the_tenants_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's words would be refused, or be ignored."""
    monkeypatch.setenv("PIPELINE_LIFETIMES", " template = 3600, bulk=604800.5 ,")
    assert load_settings().lifetimes == {"template": 3600.0, "bulk": 604_800.5}
    monkeypatch.setenv("PIPELINE_LIFETIMES", "")
    assert load_settings().lifetimes == {}
    monkeypatch.delenv("PIPELINE_LIFETIMES")
    assert load_settings().lifetimes is None
    file = tmp_path / "tenants.yaml"
    file.write_text("tenants: [{id: a, lifetimes: {text: 60, bulk: 90.5}}, {id: b}]")
    assert [tenant.lifetimes for tenant in load_tenants(file)] == [{"text": 60.0, "bulk": 90.5}, {}]


def test_the_page_of_settings_shows_the_defaults() -> None:
    """An operator would copy a line that changes what it seems to say."""
    (example,) = Settings.model_fields["lifetimes"].examples or [None]
    assert load_settings(lifetimes=example).lifetimes == DEFAULTS


@pytest.mark.parametrize("wrong", ["texts=5", "text=0", "text=-1", "text=nan", "text=inf", "text=never", "text", "=5"])
def test_a_wrong_lifetime_is_one_line(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped kind would leave its commands the time that the operator wanted to change."""
    monkeypatch.setenv("PIPELINE_LIFETIMES", wrong)
    with pytest.raises(ConfigurationError, match=r"^PIPELINE_LIFETIMES is wrong \(.+\): correct it"):
        require_lifetimes(load_settings())
    name, _, number = wrong.partition("=")
    file = tmp_path / "tenants.yaml"
    file.write_text(f'tenants: [{{id: a, lifetimes: {{"{name}": {number or "none"}}}}}]')
    with pytest.raises(ConfigurationError, match=r"is wrong at tenants\.0\.lifetimes"):
        load_tenants(file)
