"""The pages that are generated from the code. `python -m tools.docs.reference` (`make reference`) writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.docs import dashboard, error_codes_page, metrics_page, settings_pages
from tools.openapi import document

ROOT: Final = Path(__file__).parents[2]

PAGES: Final[dict[str, Callable[[], str]]] = {
    ".env.example": settings_pages.example,
    "docs/dashboard.json": dashboard.page,
    "docs/configuration.md": settings_pages.page,
    "docs/error-codes.md": error_codes_page.page,
    "docs/metrics.md": metrics_page.page,
    "docs/openapi.json": document.text,
    "pipeline/ingress/openapi.json": document.packed,
}
"""Path in the repository → its text."""


if __name__ == "__main__":
    for path, text in PAGES.items():
        (ROOT / path).write_text(text())
