"""Pointing the chaos harness at stock Faust: only the workers change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.stock.__main__ import APPS
from chaos import target
from chaos.options import Options
from chaos.stack import Stack
from chaos.target import Target, groups
from pipeline.errors import UsageError
from pipeline.topics.catalogue import RECEIPTS


def commands(directory: Path, on: Target) -> dict[str, list[str]]:
    """The module and its arguments of each service."""
    stack = Stack(directory, replace(Options(), on=on))
    return {child.name: list(child.service.argv)[2:] for child in stack._children}


def test_stock_replaces_the_ingress_and_the_workers_and_nothing_else(tmp_path: Path) -> None:
    """A comparison with one of our own workers in it would praise or blame the wrong one."""
    ours, stock = (commands(tmp_path, on) for on in (Target.PIPELINE, Target.STOCK))
    replaced = {name for name in ours if "bench.stock" in stock[name]}
    assert replaced == set(APPS)
    assert all(stock[name] == ["bench.stock", name] for name in replaced)
    assert not any("bench.stock" in argv for argv in ours.values())


@pytest.mark.parametrize(("on", "at_once"), [(Target.STOCK, "100"), (Target.STOCK_IN_ORDER, "1")])
def test_stock_runs_as_many_events_at_once_as_it_was_told(tmp_path: Path, on: Target, at_once: str) -> None:
    """The disorder of concurrent agents would be laid to those that keep order, or the other way round."""
    stack = Stack(tmp_path, replace(Options(), on=on))
    environments = [child.service.env or {} for child in stack._children if child.name in APPS]
    assert [env["BENCH_STOCK_CONCURRENCY"] for env in environments] == [at_once] * len(APPS)


def test_only_ours_has_receipts_to_read() -> None:
    """A run on stock Faust would never come to rest, or ours would be counted with receipts unread."""
    ours, stock = groups(Target.PIPELINE), groups(Target.STOCK)
    assert ours.keys() == stock.keys()
    assert {name for group in ours for name in {*ours[group]} - {*stock[group]}} == {RECEIPTS.name}


def test_stock_outside_a_checkout_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installed the package would wait two minutes for workers that cannot start."""
    monkeypatch.setattr(target, "ROOT", tmp_path)
    with pytest.raises(UsageError, match="checkout"):
        Stack(tmp_path, replace(Options(), on=Target.STOCK))
