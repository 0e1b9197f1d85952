"""Buttons, lists and headers. Every send takes a dict with the same fields as well."""

from pipeline.handlers import HeaderType, InteractiveHeader, ListRow, ListSection, ReplyButton

__all__ = ["HeaderType", "InteractiveHeader", "ListRow", "ListSection", "ReplyButton"]
