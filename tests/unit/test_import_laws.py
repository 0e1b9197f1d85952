"""The laws of the house: imports run downwards only, and each law bites."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "chaos")
BREACHES = {
    "The house: imports run downwards only": ("pipeline/tenants.py", "import pipeline.providers"),
    "The sandbox is the outside world": ("pipeline/sandbox/__init__.py", "import pipeline.topics.keys"),
    "The sandbox judges: what it judges shares no code with it": (
        "pipeline/messenger/limiter.py",
        "import pipeline.sandbox.limits",
    ),
    "Chaos comes from outside: nothing imports it": ("pipeline/agents/__init__.py", "import chaos.plan"),
    "A provider never knows Kafka": ("pipeline/providers/__init__.py", "import aiokafka"),
    "What providers share knows none of them": (
        "pipeline/providers/gateway/jids.py",
        "import pipeline.providers.waha.bodies",
    ),
    "No provider knows another": ("pipeline/providers/wawp/bodies.py", "import pipeline.providers.waha.bodies"),
    "Reading dead letters can't publish": ("pipeline/dead_letters/find.py", "import pipeline.runtime.kafka.publisher"),
    "The runtime never knows WhatsApp": ("pipeline/runtime/kafka/admin.py", "import pipeline.topics.catalogue"),
    "The rooms of the runtime: imports run downwards only": (
        "pipeline/runtime/tables/views.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pipeline.runtime.flows.stage",
    ),
    "The app is built and run, and never reached through": (
        "pipeline/runtime/faust/consumer.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pipeline.runtime.faust.app",
    ),
    "Nothing but the runtime and the topic tools touches Faust; limits are pure": (
        "pipeline/messenger/limits/account.py",
        "import aiohttp",
    ),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_laws_are_kept() -> None:
    """Whoever adds an agent would find the machine tied to a business, or a circle between two parts."""
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_law_is_tried() -> None:
    """A new law could be one that nothing can break."""
    laws = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {law["name"] for law in laws} == set(BREACHES)


@pytest.mark.parametrize("law", BREACHES)
def test_each_law_bites(copy: Path, law: str) -> None:
    """A law that has lost its teeth by a renamed package would hold nothing, and nobody would see."""
    file, breach = BREACHES[law]
    with (copy / file).open("a") as source:
        source.write(f"\n{breach}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{law} BROKEN" in done.stdout
