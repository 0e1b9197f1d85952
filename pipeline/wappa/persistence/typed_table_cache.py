"""Tables of one model."""

from pipeline.state import TypedRowTransition, TypedTableCache

__all__ = ["TypedRowTransition", "TypedTableCache"]
