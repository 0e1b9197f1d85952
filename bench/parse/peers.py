"""Wappa and PyWa, each installed into a virtual environment of its own and measured there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final, NamedTuple

import orjson

from bench.process import clean_environment

REQUIREMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "wappa": ("wappa==0.31.*", "greenlet"),  # imported with it, and asked for on some platforms only
    "pywa": ("pywa==4.5.*",),
}
_BESIDE: Final = ("pydantic", "orjson")
"""The cost of the lower bound on their interpreter."""
_SECONDS: Final = 600
_SCRIPT: Final = Path(__file__).with_name("peer.py")

Figures = Mapping[str, Any]
Tell = Callable[[str], None]


def installed(python: str | None, place: Path, tell: Tell) -> dict[str, str]:
    """Each peer's own interpreter. One that can't be installed is left out, with a line that says so.

    Args:
        python: the interpreter to make the environments with; None: nothing is installed.
        place: a directory for them.
    """
    if python is None:
        tell("without Wappa and PyWa: --peers PYTHON measures them too")
        return {}
    found = {name: _install(python, place / name, requirements) for name, requirements in REQUIREMENTS.items()}
    for name, environment in found.items():
        if isinstance(environment, _Failure):
            tell(f"without {name}: it could not be installed with {python} ({environment.reason})")
    return {name: each for name, each in found.items() if not isinstance(each, _Failure)}


def measured(pythons: Mapping[str, str], bodies: Sequence[bytes], rounds: int, tell: Tell) -> dict[str, Figures]:
    """Return the results of `peer.py` for each peer. One that can't parse the bodies is left out, with a line."""
    with NamedTemporaryFile(prefix="pipeline-bench-") as file:
        file.write(b"\n".join(bodies))
        file.flush()
        found = {name: _measure(python, name, file.name, rounds) for name, python in pythons.items()}
    for name, figures in found.items():
        if "error" in figures:
            tell(f"without {name}: {figures['error']}")
    return {name: figures for name, figures in found.items() if "error" not in figures}


class _Failure(NamedTuple):
    reason: str


def _install(python: str, place: Path, requirements: Sequence[str]) -> str | _Failure:
    inside = str(place / "bin" / "python")
    try:
        _run(python, "-m", "venv", str(place))
        _run(inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements, *_BESIDE)
    except (OSError, subprocess.SubprocessError) as error:
        return _Failure(_reason(error))
    return inside


def _measure(python: str, name: str, bodies: str, rounds: int) -> Figures:
    try:
        figures: Figures = orjson.loads(_run(python, str(_SCRIPT), name, bodies, str(rounds)))
    except (OSError, subprocess.SubprocessError, orjson.JSONDecodeError) as error:
        return {"error": _reason(error)}
    return figures


def _run(*argv: str) -> str:
    env = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"}
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=_SECONDS, env=env).stdout


def _reason(error: Exception) -> str:
    """Return its last words."""
    said = (error.stderr or "").strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
    return said.splitlines()[-1][:160] if said else type(error).__name__
