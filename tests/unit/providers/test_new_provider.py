"""docs/new-provider.md shows code that runs, and files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from pipeline.tenants import TenantsFile
from tests.support import pigeon
from tests.unit.providers import test_pigeon_conformance

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "new-provider.md").read_text()
CODE = [Path(module.__file__ or "").read_text() for module in (pigeon, test_pigeon_conformance)]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_piece_of_code_is_part_of_the_provider_that_keeps_the_promises() -> None:
    """Who follows the page would copy code that does not run."""
    pieces = _blocks("python")
    assert len(pieces) >= 6
    for piece in pieces:
        assert any(piece in code for code in CODE), f"not in pigeon.py or its suite any more:\n{piece}"


def test_the_account_is_one() -> None:
    """Who copies the tenants file of the page would be told that it is wrong."""
    (text,) = _blocks("yaml")
    variables = {"ACME_PIGEON_SECRET": "s", "ACME_PIGEON_TOKEN": "t", "ACME_PIGEON_URL": "http://127.0.0.1:1"}
    found = TenantsFile.model_validate(yaml.safe_load(text), context={"environ": variables})
    assert found.tenants[0].accounts[0].provider == pigeon.NAME


def test_every_file_that_it_names_is_there() -> None:
    """Somebody would look for a pattern that has moved."""
    named = set(re.findall(r"(?:pipeline|sandbox|tests|topics|docs)/[\w/.]*\w(?:\.\w+|/)", PAGE))
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]
