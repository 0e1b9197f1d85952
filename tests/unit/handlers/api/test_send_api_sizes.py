"""Nothing that the HTTP API is given may be of any size: it is kept in Kafka, in an event and in a command."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.handlers.api.paths import PATHS
from pipeline.handlers.validation import MAX_ID_LENGTH
from pipeline.ingress import send_api
from pipeline.testing import api_message
from tests.support.send_api import TEXT, USER, Caller, api
from tests.unit.handlers.api.test_send_api_fuzz import _held
from tests.unit.handlers.api.test_send_api_paths import CASES

FIELDS = sorted(
    {(path, name) for path, call in PATHS.items() for name, field in call.body.model_fields.items()
     if "str" in repr(field.annotation)}
)  # fmt: skip


@pytest.mark.parametrize(("path", "name"), FIELDS)
def test_no_field_of_any_send_takes_megabytes(path: str, name: str) -> None:
    """One caller with a key would fill the topics, and every worker that reads them."""
    good = next(body for case, body, *_ in CASES if case == path)
    result, commands = _held(api_message(path, **{"recipient": USER, **good, name: "1" * 2_500_000}))
    assert not result.success
    assert not commands
    assert len(result.error or "") < 500


@pytest.mark.parametrize("name", ["reply_to_message_id", "user_id"])
def test_an_id_has_the_length_of_an_id(name: str) -> None:
    """An id as long as a book would be taken, and be no message's."""

    async def test(caller: Caller) -> None:
        for length, status in ((MAX_ID_LENGTH, 200), (MAX_ID_LENGTH + 1, 422)):
            body: dict[str, Any] = {"recipient": USER, "text": "hi", name: "x" * length}
            assert (await caller.post(TEXT, body))[0] == status

    run(test)


def test_a_send_is_smaller_than_a_webhook() -> None:
    """What no field bounds (cards, buttons, sections) would be of any size."""

    async def test(caller: Caller) -> None:
        body = {"recipient": USER, "contact": {"note": "x" * send_api.MAX_SEND_BYTES}}
        assert (await caller.post("specialized/send-contact", body))[0] == 413
        assert caller.publisher.records == []

    run(test)


def run(test: Any) -> None:
    async def main() -> None:
        async with api(limit=1_000_000) as caller:
            await test(caller)

    asyncio.run(main())
