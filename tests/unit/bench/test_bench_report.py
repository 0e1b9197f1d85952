"""The benchmark's tables and result files."""

from __future__ import annotations

import io
from pathlib import Path

import orjson
from rich.console import Console

from bench import report
from bench.candidate import Measured
from bench.end_to_end import benchmark as end_to_end
from bench.end_to_end.candidates import OURS, STOCK_CONCURRENT, STOCK_IN_ORDER
from bench.intake import benchmark as intake
from bench.options import Options
from bench.report import Result, Table


def _measured(rate: float) -> Measured:
    return Measured(events=1_000, seconds=1_000 / rate, cpu=0.02, memory=2**20)


def test_ratios_are_of_the_medians() -> None:
    """A ratio of single rounds would let one lucky round decide what is published."""
    table = intake.table(
        {
            "this pipeline": [_measured(rate) for rate in (39_000, 40_000, 99_000)],
            "stock Faust": [_measured(rate) for rate in (1_000, 4_000, 5_000)],
            "bare aiokafka": [_measured(rate) for rate in (99_000, 100_000, 110_000)],
        }
    )
    assert "10.0 x stock, 0.40 x bare" in table.title
    assert table.rows[0][:4] == ["this pipeline", "40,000 (39,000-99,000)", "10.0", "0.40"]


def test_the_whole_way_is_compared_with_both_kinds_of_stock() -> None:
    """Beating only the slower kind would be no fair comparison, so both must be in the title."""
    costs = dict.fromkeys(end_to_end.PROCESSES, 100.0)
    rates = {OURS.name: 1_000.0, STOCK_IN_ORDER.name: 100.0, STOCK_CONCURRENT.name: 500.0}
    table = end_to_end.table({name: [end_to_end.Measured(rate, rate, costs)] for name, rate in rates.items()})
    assert "10.0 x stock in order, 2.0 x stock 100 at once" in table.title


def test_figures_are_written_with_the_machine_that_they_are_of(tmp_path: Path) -> None:
    """Figures without versions and cores can't be compared with anybody's."""
    path = report.write({"cores": 2}, [Result("intake", [], {"rate": 1.5})], tmp_path / "results")
    assert orjson.loads(path.read_bytes()) == {"machine": {"cores": 2}, "results": {"intake": {"rate": 1.5}}}


def test_a_table_shows_its_figures_and_notes() -> None:
    """A note that is lost leaves a figure that promises more than it holds."""
    console = Console(width=80, file=io.StringIO(), record=True)
    report.show(console, Table("title", ["what", "figure"], [["ours", "1,234"]], ["a note"]))
    text = console.export_text()
    assert all(word in text for word in ("title", "ours", "1,234", "a note"))


def test_what_is_asked_for_overrides_a_quick_run() -> None:
    """`--quick --records 1000` must read 1,000 records, and nothing that was not given may become nothing."""
    options = Options.chosen(quick=True, only=("intake",), records=1_000, seconds=None)
    assert (options.records, options.rounds, options.only) == (1_000, 1, ("intake",))
    assert options.seconds > 0
