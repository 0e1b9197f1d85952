"""The command line's promises: exit status, one line for people, the traceback on demand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.tenants import SAMPLE
from tests.support.ports import free_ports
from tests.support.waiting import HANG

ROOT = Path(__file__).parents[3]
VERBS = [
    "up", "ingress", "worker", "sandbox", "topics", "dead-letters", "lag", "parked", "accounts", "tenants", "doctor",
    "new-agent", "new-handler",
]  # fmt: skip


def run(
    *arguments: str, environment: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """`python -m pipeline.cli …` in an environment without any setting but these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "120"} | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )


def test_help_names_every_verb() -> None:
    """A newcomer could not find what there is."""
    done = run("--help")
    assert done.returncode == 0
    assert all(f" {verb} " in done.stdout for verb in VERBS)


@pytest.mark.parametrize(
    "arguments",
    [["fly"], ["--fly"], ["topics"], ["topics", "burn"], ["doctor", "now"], ["worker"], ["worker", "nobody"]],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    """A script could not tell a typing error of its own from a failure."""
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["topics", "list"], {"PIPELINE_TENANTS": "/none.yaml"}, "PIPELINE_TENANTS"),
        (["topics", "list"], {"PIPELINE_PARTITIONS": "0"}, "PIPELINE_PARTITIONS"),
        (["ingress"], {"PIPELINE_TENANTS": "/none.yaml"}, "PIPELINE_TENANTS"),
        (["worker", "intake"], {"PIPELINE_LOG_LEVEL": "loud"}, "PIPELINE_LOG_LEVEL"),
        (["ingress"], {}, "PIPELINE_TENANTS is not set"),
        (["worker", "intake"], {}, "PIPELINE_TENANTS is not set"),
        (["topics", "list"], {}, "PIPELINE_TENANTS is not set"),
    ],
)
def test_a_failure_is_status_1_and_one_line(arguments: list[str], environment: dict[str, str], says: str) -> None:
    """An operator would read a traceback to find a mistyped variable."""
    done = run(*arguments, environment=environment)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("pipeline: ")
    assert says in line


def test_debug_shows_where() -> None:
    """Whoever has to find a fault of ours would have one line to go by."""
    done = run("--debug", "topics", "list", environment={"PIPELINE_TENANTS": "/none.yaml"})
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ConfigurationError" in done.stderr


@pytest.mark.parametrize("verb", ["create", "check"])
def test_topics_without_a_broker_end_soon(verb: str) -> None:
    """A deployment's job would hang on a wrong address instead of saying so."""
    done = run(
        "topics", verb, environment={"PIPELINE_KAFKA": f"127.0.0.1:{free_ports()}", "PIPELINE_TENANTS": str(SAMPLE)}
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "can't reach Kafka" in line


def test_topics_list_needs_no_broker_and_shows_the_settings(tmp_path: Path) -> None:
    """Whoever plans a cluster must see the topics before there is one."""
    tenants = tmp_path / "tenants.yaml"
    tenants.write_text("tenants: [{id: a, lane: gold}]")
    ours = {"PIPELINE_TENANTS": str(tenants), "PIPELINE_PARTITIONS": "7", "PIPELINE_DEDUP_TTL": "5400"}
    done = run("topics", "list", environment=ours)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert rows["TOPIC"].split() == ["TOPIC", "PARTITIONS", "KEY", "RETENTION", "CLEANUP", "PURPOSE"]
    assert "lane gold" in rows["events.gold"]
    assert rows["webhooks.raw"].split()[1:4] == ["7", "conversation", "7"]
    assert "25.5 h" in rows["intake-seen-changelog"]
    assert "compact,delete" in rows["intake-seen-changelog"]


def test_env_file_is_read(tmp_path: Path) -> None:
    """Whoever sets up by a file `.env` would work with the defaults."""
    (tmp_path / ".env").write_text("PIPELINE_TENANTS=of-the-env-file.yaml\n")
    done = run("topics", "list", cwd=tmp_path)
    assert "of-the-env-file.yaml" in done.stderr


def test_showing_the_catalogue_loads_no_machine() -> None:
    """Every call of a small verb would pay a second for importing Faust."""
    code = "import sys; from pipeline.cli import app; from pipeline.cli.topics import table; "
    code += "print([name for name in ('faust', 'aiokafka', 'aiohttp', 'redis') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
