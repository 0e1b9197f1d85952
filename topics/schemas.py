"""The JSON Schemas of every record: `python -m pipeline.topics.schemas` writes them to docs/schemas/.

It rejects a change that would break a reader (`pipeline.topics.compatibility`), unless you pass `--breaking`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import TypeAdapter

from pipeline.topics.commands import Command
from pipeline.topics.compatibility import breaks
from pipeline.topics.controls import OperatorControl
from pipeline.topics.events import AccountEvent, APIMessageEvent, ErrorEvent, MessageEvent, StatusEvent, UnknownEvent
from pipeline.topics.events.details import DETAILS
from pipeline.topics.outcomes import Outcome
from pipeline.topics.receipts import Receipt

DIRECTORY: Final = Path(__file__).resolve().parents[1] / "docs" / "schemas"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

RECORDS: Final[dict[str, Any]] = {
    "event.message": MessageEvent,
    "event.status": StatusEvent,
    "event.error": ErrorEvent,
    "event.account": AccountEvent,
    "event.api": APIMessageEvent,
    "event.unknown": UnknownEvent,
    "command": Command,
    "outcome": Outcome,
    "receipt": Receipt,
    "control": OperatorControl,
}
"""Record types by file name. A record of `events.<lane>` is one of the events, discriminated by `kind`."""


def schemas() -> dict[str, dict[str, Any]]:
    """Return every schema by the name of its file."""
    found = {name: _schema(model) for name, model in RECORDS.items()}
    return found | {f"account.{kind}": _schema(model) for kind, model in DETAILS.items()}


def text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def stored(directory: Path = DIRECTORY) -> dict[str, dict[str, Any]]:
    """Return the schemas in docs/schemas."""
    return {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))}


def broken(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> list[str]:
    """Return the changes that break readers of the old schemas."""
    gone = [f"{name}: is gone" for name in old if name not in new]
    return gone + [line for name in old if name in new for line in breaks(old[name], new[name])]


def write(directory: Path = DIRECTORY, *, breaking: bool = False) -> list[str]:
    """Write all schemas and return nothing; or write nothing and return the breaking changes."""
    new = schemas()
    found = [] if breaking else broken(stored(directory), new)
    if not found:
        directory.mkdir(parents=True, exist_ok=True)
        for path in directory.glob("*.json"):
            path.unlink()
        for name, schema in new.items():
            (directory / f"{name}.json").write_text(text(schema))
    return found


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 good, 1 a reader would break, 2 wrong usage."""
    if set(arguments) - {"--breaking"}:
        sys.stderr.write("usage: python -m pipeline.topics.schemas [--breaking]\n")
        return 2
    found = write(breaking="--breaking" in arguments)
    for line in found:
        sys.stderr.write(f"would break readers: {line}\n")
    if found:
        sys.stderr.write("nothing was written: keep the old form beside the new one, or say --breaking\n")
    return 1 if found else 0


def _schema(model: Any) -> dict[str, Any]:
    if isinstance(model, type) and issubclass(model, msgspec.Struct):
        return {"$schema": DIALECT} | msgspec.json.schema(model)
    return {"$schema": DIALECT} | TypeAdapter(model).json_schema(mode="validation", by_alias=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
