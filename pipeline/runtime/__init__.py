"""The stream processing runtime: you write stages as functions of one record; loops, acknowledgements and offsets
are here.

For each batch the order is always the same: publish its outputs, await every acknowledgement, write the tables (after
their changelog records are acknowledged), and only then release the offsets.
"""

from typing import TYPE_CHECKING, Any

from pipeline.runtime.flows.stage import ConcurrentStage, Link, Scope, Stage
from pipeline.runtime.tables.views import TableView

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp

__all__ = ["ConcurrentStage", "Link", "PipelineApp", "Scope", "Stage", "TableView"]


def __getattr__(name: str) -> Any:
    """Import the app when it is first asked for.

    Importing Faust takes half a second. Programs that import a part of this package, as `pipeline topics` imports
    `kafka.admin`, import this module too and don't need Faust.
    """
    if name == "PipelineApp":
        from pipeline.runtime.faust.app import PipelineApp  # noqa: PLC0415

        return PipelineApp
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
