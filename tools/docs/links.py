"""Links of the documentation that leave `docs/`, as links within the site.

On the repository's host a page links to code and to other files by relative paths. The site has a page for each
of these files: a Markdown file of the repository's root is a page of its own, anything else is shown as source.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DOCS: Final = "docs/"
HOME: Final = "index.md"
SOURCE: Final = "source/"
"""Folder of the site that holds the shown files."""
MOVED: Final = {"names": "wappa-compatibility"}
"""Pages by their former names, and their names of today."""

_FENCE: Final = "~" * 12
_FENCED: Final = re.compile(r"(^(?:```|~~~).*?^(?:```|~~~)[^\n]*$)", re.M | re.S)
"""A code block, in a group of its own: splitting a page by it keeps the blocks at odd places."""
_LINK: Final = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
_LANGUAGES: Final = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json", ".sh": "bash"}


def targets(markdown: str) -> Iterator[str]:
    """Yield the targets within the repository of the links outside of code blocks."""
    yield from (each for each in _LINK.findall(_FENCED.sub("", markdown)) if not _outside(each))


def _outside(target: str) -> bool:
    return "://" in target or target.startswith("mailto:")


def repository_path(page: str, target: str) -> str:
    """Return the path in the repository that a link on a page leads to, both relative to the root."""
    file = target.partition("#")[0]
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), file)) if file else page


def site_page(path: str) -> str:
    """Return the page of the site that shows a file or a folder of the repository."""
    if path in {"README.md", "docs"}:
        return HOME
    if path.startswith(DOCS):
        inside = path.removeprefix(DOCS)
        return inside if posixpath.splitext(inside)[1] else f"{inside}/index.md"
    if path.endswith(".md") and "/" not in path:
        return path
    return f"{SOURCE}{path.lstrip('.')}.md"  # MkDocs leaves out names that begin with a dot


def shown(page: str, markdown: str) -> Iterator[str]:
    """Yield the repository paths that a page links to and that have no page of their own in `docs/`."""
    for target in targets(markdown):
        path = repository_path(page, target)
        if not path.startswith(DOCS) or not posixpath.splitext(path)[1]:
            yield path


def rewrite(page: str, markdown: str) -> str:
    """Return a page whose links lead to pages of the site. Lines of shown files have no anchors there."""

    def link(match: re.Match[str]) -> str:
        path, _, anchor = match[0].partition("#")
        if _outside(match[0]) or not path:
            return match[0]
        there = site_page(repository_path(page, path))
        relative = posixpath.relpath(there, posixpath.dirname(site_page(page)) or ".")
        return f"{relative}#{anchor}" if anchor and not there.startswith(SOURCE) else relative

    parts = _FENCED.split(markdown)
    return "".join(part if number % 2 else _LINK.sub(link, part) for number, part in enumerate(parts))


def redirect(target: str) -> str:
    """Return the HTML of a page that leads to another."""
    moves = f'<meta http-equiv="refresh" content="0; url={target}"><link rel="canonical" href="{target}">'
    return (
        f'<!doctype html><meta charset="utf-8"><title>Moved</title>{moves}<a href="{target}">This page has moved.</a>\n'
    )


def source_page(root: Path, path: str) -> str:
    """Return the Markdown of the page that shows a file or a folder."""
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n"
    file = root / path
    if file.is_dir():
        names = sorted(each.name for each in file.iterdir() if not each.name.startswith((".", "__pycache__")))
        inside = path.startswith(DOCS)
        return head + "".join(f"- [{name}]({name})\n" if inside else f"- `{name}`\n" for name in names)
    language = _LANGUAGES.get(file.suffix, "text")
    return f"{head}{_FENCE}{language}\n{file.read_text().rstrip()}\n{_FENCE}\n"
