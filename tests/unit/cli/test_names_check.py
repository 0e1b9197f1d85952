"""Variables that nobody reads: what is misspelt, and what Kubernetes sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli._checks import CheckState
from pipeline.cli._names_check import OTHERS, check_names
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings, load_settings


def test_a_misspelt_name_is_told_with_the_nearest_one() -> None:
    """A limit that somebody has set would not be in force, and nobody would know."""
    (found,) = check_names({"PIPELINE_HANDLER_TIMOUT": "3", "PATH": "/bin"}, None)
    assert found.state is CheckState.WARNING
    assert found.text == "nothing reads PIPELINE_HANDLER_TIMOUT: did you mean PIPELINE_HANDLER_TIMEOUT?"


def test_a_name_that_is_like_no_other_is_told_too() -> None:
    """A variable of a version that is long gone would stay for ever."""
    (found,) = check_names({"PIPELINE_QQQQQQQQ": "3"}, None)
    assert "docs/configuration.md" in found.text


def test_every_name_that_something_reads_is_known(tmp_path: Path) -> None:
    """Who has set everything right would be warned."""
    tenants = tmp_path / "tenants.yaml"
    tenants.write_text("tenants: [{id: a, accounts: [{token: env:PIPELINE_ACME_TOKEN}]}]")
    ours = {f"PIPELINE_{name.upper()}" for name in Settings.model_fields} | OTHERS | {"PIPELINE_ACME_TOKEN"}
    assert check_names(dict.fromkeys(ours, "x"), tenants) == []


LINKS = {
    "PIPELINE_INGRESS_SERVICE_HOST": "10.0.0.1",
    "PIPELINE_INGRESS_SERVICE_PORT": "80",
    "PIPELINE_INGRESS_SERVICE_PORT_HTTP": "80",
    "PIPELINE_INGRESS_PORT_80_TCP": "tcp://10.0.0.1:80",
    "PIPELINE_INGRESS_PORT_80_TCP_ADDR": "10.0.0.1",
    "PIPELINE_REDIS_MASTER_PORT": "tcp://10.0.0.2:6379",
}


def test_the_variables_of_kubernetes_are_one_line() -> None:
    """A pod beside a service that is called pipeline-ingress would be a page of warnings, none of which says why."""
    (found,) = check_names(LINKS, None)
    assert "enableServiceLinks: false" in found.text
    assert all(name in found.text for name in LINKS)


def test_a_setting_that_kubernetes_has_overwritten_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod would not start because `tcp://10.0.0.1:80` is no integer, which nobody has written."""
    monkeypatch.setenv("PIPELINE_INGRESS_PORT", "tcp://10.0.0.1:80")
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert "as Kubernetes sets it for a service named pipeline-ingress" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
