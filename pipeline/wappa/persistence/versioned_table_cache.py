"""Tables of one model that can be invalidated as a whole."""

from pipeline.state import VersionedTableCache

__all__ = ["VersionedTableCache"]
