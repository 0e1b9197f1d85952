"""Tables of one model that can be made stale as a whole."""

from pipeline.state import VersionedTableCache

__all__ = ["VersionedTableCache"]
