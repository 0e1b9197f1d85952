"""The JSON Schemas of every record, and what counts as breaking a reader of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jsonschema
import orjson
import pytest
from pydantic import BaseModel, Field, TypeAdapter

from pipeline.providers.cloud.parse import parse
from pipeline.topics import schemas
from pipeline.topics.compatibility import breaks
from pipeline.topics.events import UnknownEvent
from tests.support.cloud_webhooks import Raw, examples

Json = dict[str, Any]


def test_the_schemas_that_are_checked_in_are_those_of_the_code() -> None:
    """Consumers in other languages would build on a form that the records no longer have."""
    found = schemas.broken(schemas.stored(), schemas.schemas())
    assert not found, f"this would break readers: {found}"
    assert schemas.stored() == schemas.schemas(), "run `python -m pipeline.topics.schemas` and check the difference in"


def test_every_event_is_what_its_schema_says() -> None:
    """A schema that nobody's records fit is worse than none."""
    known = {name: jsonschema.Draft202012Validator(schema) for name, schema in schemas.stored().items()}
    for whole in examples():
        for wire in parse(Raw(orjson.dumps(whole))):
            record = orjson.loads(wire.encode("acme"))
            known[f"event.{wire.kind}"].validate(record)
            if wire.kind == "account" and (detail := known.get(f"account.{wire.body['event_type']}")):
                detail.validate(record["data"])


class Part(BaseModel):
    """A part of the record below."""

    size: int
    note: str | None = None


class Other(BaseModel):
    """Another variant."""

    name: str


class Whole(BaseModel):
    """A record with a field of every kind that the checker has to know."""

    kind: Literal["whole"]
    id: str = Field(min_length=1)
    count: int | None = None
    share: float = 0
    color: Literal["red", "green"] = "red"
    parts: list[Part] = []
    any_part: Part | Other
    more: dict[str, int] = {}
    free: Any = None


OLD: Json = TypeAdapter(Whole).json_schema()


def _changed(change: Callable[[Json], object]) -> Json:
    new = copy.deepcopy(OLD)
    change(new)
    return new


def _fields(schema: Json) -> Json:
    fields: Json = schema["properties"]
    return fields


BREAKING: dict[str, Callable[[Json], object]] = {
    "a field is gone": lambda new: _fields(new).pop("share"),
    "a field of a part is gone": lambda new: _fields(new["$defs"]["Part"]).pop("note"),
    "a field is required now": lambda new: new["required"].append("share"),
    "a part's field is required now": lambda new: new["$defs"]["Part"]["required"].append("note"),
    "a field may be missing now": lambda new: new["required"].remove("id"),
    "another type": lambda new: _fields(new)["id"].update(type="integer"),
    "a narrower type": lambda new: _fields(new)["share"].update(type="integer"),
    "no null any more": lambda new: _fields(new)["count"]["anyOf"].pop(),
    "a type where anything went": lambda new: _fields(new)["free"].update(type="string"),
    "a value is gone": lambda new: _fields(new)["color"]["enum"].pop(),
    "values where any string went": lambda new: _fields(new)["id"].update(enum=["a"]),
    "another constant": lambda new: _fields(new)["kind"].update(const="other"),
    "a longer minimum": lambda new: _fields(new)["id"].update(minLength=2),
    "a new maximum": lambda new: _fields(new)["id"].update(maxLength=20),
    "a pattern": lambda new: _fields(new)["id"].update(pattern="^a"),
    "a variant is gone": lambda new: _fields(new)["any_part"]["anyOf"].pop(),
    "other items": lambda new: _fields(new)["parts"].update(items={"type": "string"}),
    "other values": lambda new: _fields(new)["more"].update(additionalProperties={"type": "string"}),
    "closed to new fields": lambda new: new.update(additionalProperties=False),
}
FINE: dict[str, Callable[[Json], object]] = {
    "nothing": lambda new: None,
    "a new field": lambda new: _fields(new).update(new={"type": "string"}),
    "a new type of part": lambda new: _fields(new)["any_part"]["anyOf"].append({"type": "string"}),
    "a wider number": lambda new: _fields(new["$defs"]["Part"])["size"].update(type="number"),
    "null as well": lambda new: _fields(new).update(id={"anyOf": [_fields(OLD)["id"], {"type": "null"}]}),
    "a new value": lambda new: _fields(new)["color"]["enum"].append("blue"),
    "any string": lambda new: _fields(new)["color"].pop("enum"),
    "a shorter minimum": lambda new: _fields(new)["id"].update(minLength=0),
    "another description": lambda new: new.update(description="x"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_a_reader_is_found(name: str) -> None:
    """A worker of the old version, or an analytics consumer, would dead-letter every record of the new one."""
    assert len(breaks(OLD, _changed(BREAKING[name]))) == 1


@pytest.mark.parametrize("name", FINE)
def test_what_breaks_nobody_is_left_alone(name: str) -> None:
    """Nothing could be added any more, and the check would be switched off."""
    assert breaks(OLD, _changed(FINE[name])) == []


def test_models_that_refer_to_themselves_are_compared_once() -> None:
    """The check would not end."""
    tree = {"$defs": {"T": {"properties": {"child": {"$ref": "#/$defs/T"}}}}, "$ref": "#/$defs/T"}
    assert breaks(tree, tree) == []


def test_a_breaking_change_is_not_written_unless_it_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of what readers rely on would be overwritten by the change that breaks them."""
    assert schemas.write(tmp_path) == []
    before = schemas.stored(tmp_path)
    without = {name: model for name, model in schemas.RECORDS.items() if name != "receipt"}
    monkeypatch.setattr(schemas, "RECORDS", without | {"command": UnknownEvent})
    found = schemas.write(tmp_path)
    assert "receipt: is gone" in found
    assert any("command_id" in line for line in found)
    assert schemas.stored(tmp_path) == before
    assert schemas.write(tmp_path, breaking=True) == []
    assert "receipt" not in schemas.stored(tmp_path)


def test_the_verb_knows_its_options() -> None:
    """A slip of the pen would overwrite the schemas."""
    assert schemas.main(["--braking"]) == 2
