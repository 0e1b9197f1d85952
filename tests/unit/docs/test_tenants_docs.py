"""docs/tenants.md lists every field of the tenants file, and says which ones must be there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from pipeline.tenants import Account, CloudApp, Tenant
from pipeline.topics.agents import AgentEntry

PAGE = (Path(__file__).parents[3] / "docs/tenants.md").read_text()


@pytest.mark.parametrize(
    ("model", "heading"),
    [
        (Tenant, "A tenant"),
        (Account, "An account"),
        (AgentEntry, "An agent"),
        (CloudApp, "A Cloud app"),
    ],
)
def test_every_field_is_listed(model: type[Tenant | Account | AgentEntry | CloudApp], heading: str) -> None:
    """Nobody would know of it, or would leave out what must be there."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))
    schema = TypeAdapter(model).json_schema()
    assert set(listed) == set(schema["properties"])
    assert {name for name, default in listed.items() if default == "-"} == set(schema["required"])
