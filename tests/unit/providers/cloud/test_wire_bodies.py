"""Every send, field for field as Wappa's and PyWa's own clients put it on the wire (`tests/data/wire`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from pipeline.providers.cloud.bodies import KINDS, build_body
from pipeline.providers.cloud.deliver import _endpoint
from pipeline.topics.commands import CommandKind
from tests.support.messengers import call

DATA: Final = Path(__file__).parents[3] / "data" / "wire"
WAPPA: Final = "wappa-0.31.0"
PYWA: Final = "pywa-4.5.0"

Recorded = dict[str, Any]


def recorded(name: str) -> list[Recorded]:
    entries: list[Recorded] = orjson.loads((DATA / f"{name}.json").read_bytes())
    return entries


def _name(entry: object) -> str:
    return str(entry["method"]) if isinstance(entry, dict) else str(entry)


def expected(entry: Recorded, ours: Recorded, client: str) -> Recorded:
    """The recorded body with the differences that we mean to have."""
    body = dict(entry["body"])
    if "status" in body:
        # Wappa accepts `typing` and shows nothing. Ours shows it, as PyWa does and the documents say.
        return body | ({"typing_indicator": {"type": "text"}} if entry["arguments"].get("typing") else {})
    # A command's id goes with every message: status webhooks bring it back.
    body["biz_opaque_callback_data"] = ours["biz_opaque_callback_data"]
    # Wappa leaves it out of texts, contacts and text templates, where Meta assumes the same.
    body.setdefault("recipient_type", "individual")
    if client == WAPPA and body["type"] == "location":
        # Meta's reference has numbers, as PyWa sends them; Wappa sends strings.
        place = body["location"]
        body["location"] = place | {name: float(place[name]) for name in ("latitude", "longitude")}
    if client == WAPPA and body["type"] == "document" and "caption" in entry["arguments"]:
        # Wappa takes a document's caption and loses it on the way.
        body["document"] = body["document"] | {"caption": entry["arguments"]["caption"]}
    return body


@pytest.mark.parametrize(
    ("client", "entry"), [(name, entry) for name in (WAPPA, PYWA) for entry in recorded(name)], ids=_name
)
def test_the_body_is_what_the_known_clients_send(client: str, entry: Recorded) -> None:
    """A handler that moved here from Wappa or PyWa would send something else than it did there."""
    result, (command,) = call(entry["method"], entry["arguments"], language="es")
    assert result.success, result.error
    body = build_body(command)
    assert body == expected(entry, body, client)
    assert _endpoint(command) == entry["endpoint"]


def test_every_kind_has_been_compared() -> None:
    """A kind whose body nobody compared could be refused by Meta for years."""
    entries = recorded(WAPPA) + recorded(PYWA)
    compared = {call(entry["method"], entry["arguments"], language="es")[1][0].kind for entry in entries}
    # Neither client knows address forms; invitations are a link that both leave to their users.
    assert KINDS - compared == {CommandKind.ADDRESS, CommandKind.GROUP_INVITE}
