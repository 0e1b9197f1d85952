"""Faust made safe: stages are functions of one record; the loop, the acknowledgements and the offsets are here.

The order of everything that is done for a batch: publish its outputs, await every acknowledgement, mark the tables
(changelog acknowledged first), then let the offsets go.
"""

import warnings
from typing import TYPE_CHECKING, Any, Final

from pipeline.runtime.flows.fairness import FairKey, Fairness
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage, Stage, StageContext, Through
from pipeline.runtime.tables.views import TableView

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp

__all__ = [
    "ConcurrentContext",
    "ConcurrentStage",
    "FairKey",
    "Fairness",
    "PipelineApp",
    "Stage",
    "StageContext",
    "TableView",
    "Through",
]

_RENAMED: Final[dict[str, type]] = {"Link": Through, "Scope": StageContext}
"""Names of earlier versions."""


def __getattr__(name: str) -> Any:
    """Import the app when it is first asked for, and understand names of earlier versions.

    Importing Faust takes half a second. Programs that import a part of this package, as `pipeline topics` imports
    `kafka.admin`, import this module too and don't need Faust.
    """
    if name == "PipelineApp":
        from pipeline.runtime.faust.app import PipelineApp  # noqa: PLC0415

        return PipelineApp
    if name in _RENAMED:
        renamed = _RENAMED[name]
        warnings.warn(f"pipeline.runtime.{name} is now {renamed.__name__}", DeprecationWarning, stacklevel=2)
        return renamed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
