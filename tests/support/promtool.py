"""Prometheus' own tool, where it is installed."""

from __future__ import annotations

import shutil

import pytest


def promtool() -> str:
    """Return the path of `promtool`. Skips the test where there is none."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is missing: install Prometheus (on Debian: apt install prometheus)")
    return found
