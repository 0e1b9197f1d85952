"""Hooks of MkDocs: files outside of `docs/` become pages, and Mermaid is served by the site itself."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.utils import get_relative_url

from tools.docs import links

ROOT: Final = Path(__file__).parents[2]

MERMAID: Final = "javascripts/mermaid.min.js"
MERMAID_SHA256: Final = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"
"""Digest of the file that release 11.16.0 of Mermaid publishes; the wheel `mermaidx` carries it unchanged."""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of files that others link to, and the script that draws diagrams."""
    files.append(File.generated(config, MERMAID, content=_mermaid()))
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        files.append(File.generated(config, name, content=(ROOT / name).read_text()))
    for path in sorted(_linked(files)):
        files.append(File.generated(config, links.site_page(path), content=links.source_page(ROOT, path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Make links that leave `docs/` lead to pages of the site."""
    shown = page.file.generated_by and "/" in page.file.src_uri
    return markdown if shown else links.rewrite(_path(page.file), markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Load Mermaid on the pages that have a diagram. Without it the theme would fetch it from another host."""
    if 'class="mermaid"' not in output:
        return output
    script = f'<script src="{get_relative_url(MERMAID, page.url)}"></script>'
    return output.replace("</body>", f"{script}</body>")


def on_post_build(config: Any) -> None:
    """Let the former addresses of pages lead to the pages."""
    for old, new in links.MOVED.items():
        place = Path(config.site_dir) / old / "index.html"
        place.parent.mkdir(exist_ok=True)
        place.write_text(links.redirect(f"../{new}/"))


def _linked(files: Files) -> set[str]:
    """Return the existing files that pages link to and that have no page yet."""
    pages = [(file, file.content_string) for file in files.documentation_pages()]
    found = {path for file, text in pages for path in links.shown(_path(file), text)}
    return {path for path in found if (ROOT / path).exists() and links.site_page(path) not in files.src_uris}


def _path(file: File) -> str:
    """Return a page's path in the repository."""
    name: str = file.src_uri
    return name if file.generated_by else links.DOCS + name


def _mermaid() -> bytes:
    carrier = metadata.distribution("mermaidx")  # installed for this file: none of its code runs
    script = Path(str(carrier.locate_file("mermaidx/assets/mermaid.js"))).read_bytes()
    if hashlib.sha256(script).hexdigest() != MERMAID_SHA256:
        raise PluginError("the script of Mermaid is not the one that is pinned in tools/docs/hooks.py")
    return script
