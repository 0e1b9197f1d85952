"""docs/send-api.md says what is so, and its code runs."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from pipeline.handlers.api.bodies import LocationTemplateBody, MediaTemplateBody, SendBody, TextTemplateBody
from pipeline.handlers.api.paths import PATHS
from pipeline.handlers.media.limits import MIB, SIZES, max_upload
from pipeline.ingress.routes import OPENAPI_PATH
from pipeline.tenants import load_tenants
from pipeline.testing import HandlerDriver, api_message
from tests.support.doc_blocks import DOCS
from tests.support.send_api import JPEG, api
from tests.unit.docs.test_handler_docs import blocks

PAGE = (DOCS / "send-api.md").read_text()
SAMPLE = Path(__file__).parents[3] / "examples" / "tenants.yaml"
LABELS = {"interactive_type", "kind", "media_type", "template_type", "description", "transcript", "routing"}
"""Fields of Wappa's that say what the path says already, or that a caller of its own need not know."""
HEADERS = {"media_id", "media_url", "authentication_method", "authentication_button_index"}
"""Of templates: `media_header or its fields`, and what only one-time codes have."""


@pytest.mark.parametrize("line", re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S))
def test_each_line_of_it_works(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that somebody tries would be refused."""
    monkeypatch.setenv("PIPELINE_SANDBOX_URL", "http://127.0.0.1:1")
    _, url, *options = shlex.split(line.replace("\\\n", " "))
    flags = list(zip(options[::2], options[1::2], strict=True))
    given = dict(each.split(": ", 1) for flag, each in flags if flag == "-H")
    fields = dict(each.split("=", 1) for flag, each in flags if flag == "-F")

    async def main() -> None:
        async with api(load_tenants(SAMPLE)) as caller:
            if url.endswith(OPENAPI_PATH):
                async with caller.client.get(OPENAPI_PATH, headers=given) as response:
                    assert response.status == 200
                return
            assert url.startswith("http://127.0.0.1:8080/api/whatsapp/")
            path = url.partition("whatsapp/")[2]
            if file := fields.pop("media_source", ""):
                assert file == f"@{JPEG.name}"
                status, answer = await caller.upload(path, fields, JPEG, None, **given)
            else:
                status, answer = await caller.post(path, options[-1].encode(), None, **given)
            assert (status, answer["success"]) == (200, True)

    asyncio.run(main())


def test_it_has_every_path_and_field() -> None:
    """A field that nobody is told of might as well not exist."""
    families = {f"{family}/send{name}" for family, names in _named() for name in names}
    assert {path for path in PATHS if "/send-" in path} == families
    templates: set[type[SendBody]] = {TextTemplateBody, MediaTemplateBody, LocationTemplateBody}
    for call in PATHS.values():
        fields = set(call.body.model_fields) - LABELS - (HEADERS if call.body in templates else set())
        assert [name for name in sorted(fields) if f"`{name}`" not in PAGE] == []


def _named() -> list[tuple[str, list[str]]]:
    """The families of the table with their sends, `-text` and so on."""
    rows = re.findall(r"^\| `(\w+)/send(-[\w-]+)`((?:, `-[\w-]+`)*)", PAGE, re.M)
    return [(family, [first, *re.findall(r"`(-[\w-]+)`", more)]) for family, first, more in rows]


def test_its_handler_takes_note() -> None:
    """Whoever copies it would count nothing."""
    made: dict[str, Any] = {"__name__": "documented"}
    exec(blocks("send-api.md")[0], made)
    driver = HandlerDriver(made["Shop"]())
    driver.handle(api_message("messages/send-text", text="Parcel"))
    assert driver.user_data("sends") == {"text": 1}


def test_its_limits_are_those_of_the_code() -> None:
    """A caller would make its files smaller than they need to be, or learn from a 413 that they are too large."""
    rows = re.findall(r"^\| (image|video|audio|document) \| [^|]+ \| (\d+) MiB \| (\d+) MiB \|$", PAGE, re.M)
    found = {kind: (int(kept) * MIB, int(inline) * MIB) for kind, kept, inline in rows}
    assert found == {
        kind: (max_upload(kind, keeps_media=True), max_upload(kind, keeps_media=False))
        for kind in SIZES
        if kind != "sticker"
    }
