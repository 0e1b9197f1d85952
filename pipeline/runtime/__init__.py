"""Faust made safe: stages are functions of one record; the loop, the acknowledgements and the offsets are here.

The order of everything that is done for a batch: publish its outputs, await every acknowledgement, mark the tables
(changelog acknowledged first), then let the offsets go.
"""

from typing import TYPE_CHECKING, Any

from pipeline.runtime.flows.stage import ConcurrentStage, Stage, StageContext, Through
from pipeline.runtime.tables.views import TableView

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp

__all__ = ["ConcurrentStage", "PipelineApp", "Stage", "StageContext", "TableView", "Through"]


def __getattr__(name: str) -> Any:
    """The app is imported when it is asked for: Faust takes half a second that `pipeline topics` need not wait."""
    if name == "PipelineApp":
        from pipeline.runtime.faust.app import PipelineApp  # noqa: PLC0415

        return PipelineApp
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
