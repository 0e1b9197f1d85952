"""The built packages, and an environment with nothing of the checkout in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.stacks import ROOT

OTHERS = ("agents", "chaos", "sandbox", "topics")
"""Import names of other people's packages that folders of this project have, too."""
_SOURCES = ("pipeline", "agents", "topics", "sandbox")
_FILES = ("pyproject.toml", "README.md", "LICENSE")


def build(place: Path) -> tuple[Path, Path]:
    """Return the sdist, and the wheel that is built from it, as `python -m build` makes them of a clean checkout."""
    tree, made = place / "tree", place / "dist"
    for name in _SOURCES:
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(ROOT / name, tree)
    argv = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(tree)]
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = made.glob("*.tar.gz"), made.glob("*.whl")
    return sdist, wheel


def environment(place: Path, wheel: Path) -> Path:
    """Return the folder of an environment with the wheel.

    It finds what the wheel needs in the environment of the tests. The checkout is not found there: what is installed
    to be edited is named by a `.pth` file, and Python reads those of its own environment only.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(place / "bin/python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    (site_packages(place) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def site_packages(place: Path) -> Path:
    """Return the folder of an environment that packages are installed in."""
    (found,) = place.glob("lib/python*/site-packages")
    return found


def install_others(folder: Path) -> None:
    """Put other people's packages into a folder, each with a class `Agent` as openai-agents has one."""
    for name in OTHERS:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"NAME = '{name} of another'\nclass Agent: pass\n")


def clean_environ() -> dict[str, str]:
    """Return this process's environment without what leads to the checkout or its stack."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "PYTHON", "PYTEST_"))
    }
