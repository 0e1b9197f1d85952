"""The site of the documentation: what is cheap to check without building it. `make docs` checks the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.docs import links

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


class _Loader(yaml.SafeLoader):
    """Reads `!!python/…` tags, which name functions of MkDocs' environment, as nothing."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
CONFIG: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(), _Loader)


def pages(nav: Any) -> Iterator[str]:
    """Yield every page of the navigation."""
    match nav:
        case str():
            yield nav
        case list():
            for each in nav:
                yield from pages(each)
        case dict():
            yield from pages(list(nav.values()))


def test_the_navigation_has_every_page_once() -> None:
    """A page that the navigation lacks is found by nobody."""
    own = {str(page.relative_to(DOCS)) for page in DOCS.glob("*.md")}
    assert sorted(pages(CONFIG["nav"])) == sorted(own | {"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"})


def test_a_broken_link_fails_the_build() -> None:
    """A reader would find it before we do."""
    checks = CONFIG["validation"]
    assert CONFIG["strict"] is True
    assert {checks["links"]["not_found"], checks["anchors"], checks["unrecognized_links"]} == {"warn"}


def test_the_site_asks_no_other_host() -> None:
    """Readers would be reported to a font or script server, and an offline network would show no diagrams."""
    assert CONFIG["theme"]["font"] is False
    own = [ROOT / "mkdocs.yml", *(DOCS / "assets").glob("*.css"), *(ROOT / "tools" / "docs").glob("*.py")]
    assert [file.name for file in own if re.search(r"https?://(?!127\.0\.0\.1)", file.read_text())] == []


@pytest.mark.parametrize(
    ("page", "target", "expected"),
    [
        ("docs/handlers.md", "caches.md#backends", "caches.md#backends"),
        ("docs/handlers.md", "#a-heading", "#a-heading"),
        ("docs/handlers.md", "https://example.org/x.md", "https://example.org/x.md"),
        ("docs/handlers.md", "../README.md", "index.md"),
        ("docs/handlers.md", "../CHANGELOG.md#next", "CHANGELOG.md#next"),
        ("docs/handlers.md", "../agents/topology.py#L10", "source/agents/topology.py.md"),
        ("docs/handlers.md", "../.env.example", "source/env.example.md"),
        ("docs/providers.md", "schemas", "schemas/index.md"),
        ("docs/operations.md", "alerts.yaml", "alerts.yaml"),
        ("CONTRIBUTING.md", "docs/glossary.md#terms", "glossary.md#terms"),
        ("CONTRIBUTING.md", "LICENSE", "source/LICENSE.md"),
    ],
)
def test_a_link_leads_to_the_page_of_the_site(page: str, target: str, expected: str) -> None:
    """A link to code works on the repository's host, and would be broken on the site."""
    assert links.rewrite(page, f"see [it]({target}).") == f"see [it]({expected})."


def test_an_old_address_leads_to_the_page_of_today() -> None:
    """A link of somebody's notes would end in nothing."""
    assert 'url=../wappa-compatibility/"' in links.redirect("../wappa-compatibility/")
    for old, new in links.MOVED.items():
        assert (DOCS / f"{new}.md").is_file() and not (DOCS / f"{old}.md").exists()


def test_code_blocks_keep_what_looks_like_a_link() -> None:
    """Code that a reader copies would be changed."""
    page = "```python\nx = d[k](../a.py)\n```\n[it](../a.py)\n"
    assert links.rewrite("docs/x.md", page) == "```python\nx = d[k](../a.py)\n```\n[it](source/a.py.md)\n"
    assert list(links.shown("docs/x.md", page)) == ["a.py"]


def test_a_shown_file_is_a_code_block_that_it_can_not_end(tmp_path: Path) -> None:
    """A file with a fence of its own would run into the page."""
    (tmp_path / "a.py").write_text('"""\n```\n~~~\n"""\n')
    page = links.source_page(tmp_path, "a.py")
    assert page.startswith("---\nsearch:\n  exclude: true\n---\n\n# a.py\n")
    assert page.endswith('~~~~~~~~~~~~python\n"""\n```\n~~~\n"""\n~~~~~~~~~~~~\n')


def test_a_folder_is_shown_as_its_list(tmp_path: Path) -> None:
    """A link to a folder would lead nowhere."""
    (tmp_path / "docs" / "schemas").mkdir(parents=True)
    (tmp_path / "docs" / "schemas" / "command.json").touch()
    assert links.source_page(tmp_path, "docs/schemas").endswith("- [command.json](command.json)\n")
