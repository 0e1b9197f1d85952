"""A short run of the chaos harness, as `make chaos` runs it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import orjson
import pytest

from tests.support.stacks import Process
from tests.support.waiting import HANG


@pytest.mark.long
def test_everything_is_killed_beside_noisy_neighbours_and_every_input_has_one_effect_in_order(tmp_path: Path) -> None:
    """Without it, a change that loses, doubles or reorders what crashes or is parked would be found by a user."""
    report = tmp_path / "report.json"
    options = [
        "--seconds",
        "60",
        "--rate",
        "20",
        "--kill-every",
        "6",
        "--seed",
        "11",
        "--crashers",
        "2",
        "--noisy",
        "--json",
        str(report),
    ]
    run = Process([sys.executable, "-m", "chaos", *options], tmp_path / "chaos.out")
    try:
        run.wait_for_end(3 * HANG)
    finally:
        run.signal(signal.SIGTERM)
    assert run.wait() == 0, run.output
    done = orjson.loads(report.read_bytes())
    # What has just ended by itself needs no kill: how soon it is back depends on the machine.
    down = [each for each in [*done["done"], *done["missed_kills"]] if each["act"].startswith("SIG")]
    killed = {each["target"].removesuffix("-2") for each in down}
    assert killed == {"intake", "handlers", "messenger", "ingress", "kafka", "redis"}
    assert done["figures"]["crashers"] == 2
    assert done["figures"]["inputs"] == done["figures"]["effects"] > 5000
    assert [each["tenant"] for each in done["neighbours"]] == ["light", "hot", "absent", "raising", "hanging"]
    assert all(each["effect_seconds"]["p99"] > 0 for each in done["neighbours"])
    assert done["parked"]["handlers-default"] > 0
