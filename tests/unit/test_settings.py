"""Settings: from the environment and `.env`, errors in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PIPELINE_"):
            monkeypatch.delenv(name)


def test_defaults_are_the_documented_ones() -> None:
    """Scripts outside rely on these ports and counts."""
    settings = load_settings()
    assert (settings.ingress_port, settings.sandbox_port) == (8080, 8090)
    assert (settings.kafka, settings.redis) == ("127.0.0.1:9092", "redis://127.0.0.1:6379/0")
    assert settings.partitions == 48
    assert settings.dedup_ttl == 7 * 86400


def test_environment_beats_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's variable would lose against a file that was left in its image."""
    (tmp_path / ".env").write_text("PIPELINE_KAFKA=file:1\nPIPELINE_REDIS=redis://file\nOTHER=1\n")
    monkeypatch.setenv("PIPELINE_KAFKA", "environment:1")
    settings = load_settings()
    assert (settings.kafka, settings.redis) == ("environment:1", "redis://file")


def test_what_is_passed_beats_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option on the command line would be ignored."""
    monkeypatch.setenv("PIPELINE_INGRESS_PORT", "1")
    assert load_settings(ingress_port=2).ingress_port == 2


def test_settings_cannot_be_changed_afterwards() -> None:
    """Two parts of one process could work with different settings."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().kafka = "other:1"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARTITIONS", "0"),
        ("PARTITIONS", "many"),
        ("REPLICATION", "-1"),
        ("INGRESS_PORT", "70000"),
        ("WORKER_PORT", "-1"),
        ("INGRESS_DEADLINE", "0"),
        ("SESSION_TIMEOUT", "1"),
        ("LOG_LEVEL", "loud"),
        ("CACHE", "disk"),
        ("API_RATE", "0"),
        ("API_RATE", "inf"),
        ("API_BURST", "0.5"),
        ("API_INTERACTIVE_RATE", "401"),
        ("API_INTERACTIVE_BURST", "4001"),
        ("API_KEY_SHARE", "0"),
        ("API_KEY_SHARE", "1.1"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """An operator would have to guess which of thirty variables is meant."""
    monkeypatch.setenv(f"PIPELINE_{name}", value)
    with pytest.raises(ConfigurationError, match=f"^PIPELINE_{name} is wrong") as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 1


@given(st.sampled_from([name for name in Settings.model_fields if name != "instance_id"]), st.text(max_size=30))
def test_any_value_is_taken_or_refused_in_one_line(name: str, value: str) -> None:
    """Some odd value would end every process with a traceback, or quote a password in a URL."""
    try:
        load_settings(**{name: value})
    except ConfigurationError as error:
        assert len(str(error).splitlines()) == 1
        assert str(error).startswith(f"PIPELINE_{name.upper()} ")
