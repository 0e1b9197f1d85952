"""The pages of the documentation lead to each other, the README to all of them, and what they configure is right."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics.headers import DECISION

ROOT = Path(__file__).parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """What a page refers to within the repository: the file, and the heading in it or an empty text."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            file, _, heading = target.partition("#")
            yield (page.parent / file if file else page).resolve(), heading


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub makes addresses of them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Who follows it at three in the morning would find nothing."""
    for target, heading in links(page):
        assert target.exists(), target
        assert not heading or heading in anchors(target), f"{target.name}#{heading}"


def test_the_readme_leads_to_every_page() -> None:
    """A page that nobody is led to is not read."""
    assert {target for target, _ in links(ROOT / "README.md")} >= {page for page in PAGES if page.parent.name == "docs"}


def test_the_evidence_is_there() -> None:
    """A promise would rest on a test that was renamed or removed."""
    named = set(re.findall(r"\btest_\w+\.py\b", (ROOT / "docs" / "reliability-evidence.md").read_text()))
    assert named <= {file.name for file in (ROOT / "tests").rglob("test_*.py")}


def test_the_analytics_example_counts_letters_and_not_what_was_decided_about_them() -> None:
    """A tenant's failures would double by being looked after."""
    counted = runpy.run_path(str(ROOT / "examples" / "analytics.py"))["counted"]
    letter = SimpleNamespace(topic="dead-letters.route", headers=[("tenant", b"acme"), ("error-type", b"X")])
    decided = SimpleNamespace(topic="dead-letters.route", headers=[(DECISION, b"redriven")])
    assert counted([letter, decided]) == {"acme": {"dead-letters.route": 1}}


@pytest.mark.parametrize("name", ["providers.md", "wawp-and-waha.md", "new-provider.md"])
def test_every_tenants_file_on_a_page_is_one(name: str) -> None:
    """Who copies it would be told on the first start that it is wrong."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / name).read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        environ = dict.fromkeys(re.findall(r"env:(\w+)", block), "secret")
        assert list(Tenants(TenantsFile.model_validate(yaml.safe_load(block), context={"environ": environ})))
