"""Checks of single fields, with the Graph API's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.sandbox.cloud.errors import known, missing, wrong

Has = Callable[[str], bool]
"""A function that returns True if the number has a medium of this id."""


def required(where: str, content: object, name: str) -> Any:
    """Return a required field. Raise `GraphError` if it is missing or empty."""
    value = content.get(name) if isinstance(content, dict) else None
    if value is None or value in ("", [], {}):
        raise missing(f"{where}['{name}']")
    return value


def lengths(where: str, value: object, most: int, what: str = "") -> None:
    if not isinstance(value, str):
        raise wrong(f"Param {where} must be a string")
    if not 1 <= len(value) <= most:
        raise known(131009, details=f"{what or where} length invalid. Min length: 1, Max length: {most}")


def listed(where: str, value: object, least: int, most: int, what: str = "") -> list[Any]:
    if not isinstance(value, list):
        raise wrong(f"Param {where} must be a JSON array.")
    if not least <= len(value) <= most:
        name = what or where
        raise known(131009, details=f"Invalid {name} count. Min allowed {name}: {least}, Max allowed {name}: {most}")
    return value


def unique(what: str, values: list[Any]) -> None:
    if len({str(each) for each in values}) != len(values):
        raise known(131009, details=f"Duplicated {what}")


def is_uri(value: object) -> bool:
    """Return True for a URL of HTTP. Schemes are not case-sensitive."""
    return str(value)[:8].lower().startswith(("http://", "https://")) and not set(str(value)) & set("\r\n\t")


def member(where: str, content: object, has: Has) -> None:
    """Check a medium, which is an id of an upload of this number or a link."""
    if not isinstance(content, dict):
        raise wrong(f"Param {where} must be a JSON object.")
    identifier, link = content.get("id"), content.get("link")
    if identifier is None and link is None:
        raise known(131008, details=f"{where}: one of 'id' and 'link' is mandatory")
    if identifier is not None and not has(str(identifier)):
        raise wrong(f"Param {where}['id'] is not a valid whatsapp business account media attachment ID")
    if link is not None and not is_uri(link):
        raise wrong(f"Param {where}['link'] is not a valid URI.")
