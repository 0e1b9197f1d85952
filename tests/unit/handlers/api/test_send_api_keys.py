"""What a second request under one idempotency key is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Unavailable
from pipeline.state import JsonStore, MemoryStore
from pipeline.state.store import Committed, UnitRecord
from tests.support.send_api import JPEG, TEXT, USER, Caller, api

KEY = {"Idempotency_Key": "order 17"}


class AwayStore(MemoryStore):
    """A store that does not answer."""

    async def recorded(self, key: str) -> bytes | None:
        raise Unavailable("Redis does not answer")

    async def commit(self, changes: Any, record: UnitRecord | None = None) -> Committed:
        raise Unavailable("Redis does not answer")


def run(test: Callable[[Caller], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with api(**options) as caller:
            await test(caller)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TEXT, {"recipient": USER, "text": "another"}),
        (TEXT, {"recipient": "15550002222", "text": "hi"}),
        (TEXT, {"recipient": USER, "text": "hi", "priority": "bulk"}),
        ("specialized/send-location-request", {"recipient": USER, "body": "hi"}),
    ],
)
def test_another_body_is_409_and_nothing_is_published(path: str, body: dict[str, Any]) -> None:
    """A caller whose counter began anew would be answered 200 for sends that never happen."""

    async def test(caller: Caller) -> None:
        assert (await caller.post(**KEY))[0] == 200
        for _ in range(2):
            status, answer = await caller.post(path, body, **KEY)
            assert (status, answer["success"], answer["error_code"]) == (409, False, "KEY_REUSED")
        assert len(caller.publisher.records) == 1
        assert (await caller.post(path, body))[0] == (await caller.post(path, body, Idempotency_Key="18"))[0] == 200

    run(test)


def test_another_account_under_the_same_key_is_409() -> None:
    """A send would go out from a number that this request did not name."""

    async def test(caller: Caller) -> None:
        statuses = [
            (await caller.post(key="globex-key", X_Inbox_ID=name, **KEY))[0] for name in ("waha-1", "wawp-1", "waha-1")
        ]
        assert statuses == [200, 409, 200]

    run(test)


def test_the_same_body_is_answered_the_same_however_it_is_written() -> None:
    """A caller whose JSON library orders fields anew would be told that its own send is another one."""

    async def test(caller: Caller) -> None:
        bodies = (b'{"recipient": "%s", "text": "hi"}', b'{"text":"h\\u0069","recipient":"%s"}')
        answers = [await caller.post(TEXT, body % USER.encode(), **KEY) for body in bodies for _ in range(2)]
        assert answers == [answers[0]] * 4
        assert answers[0][0] == 200

    run(test)


def test_a_json_body_and_a_form_are_not_the_same() -> None:
    """A picture would be taken for the text before it."""

    async def test(caller: Caller) -> None:
        assert (await caller.post("media/send-image", {"recipient": USER, "media_source": "17"}, **KEY))[0] == 200
        assert (await caller.upload("media/send-image", {"recipient": USER}, JPEG, **KEY))[0] == 409
        assert caller.pieces.records == []

    run(test)


def test_a_key_that_was_recorded_and_not_published_is_still_its_senders() -> None:
    """A process that dies in between would leave a key under which nothing can be sent for a week."""

    async def test(caller: Caller) -> None:
        caller.publisher.away = True
        assert (await caller.post(**KEY))[0] == 503
        caller.publisher.away = False
        assert (await caller.post(TEXT, {"recipient": USER, "text": "another"}, **KEY))[0] == 409
        assert (await caller.post(**KEY))[0] == 200
        assert len(caller.publisher.records) == 1

    run(test)


def test_one_of_two_bodies_at_the_same_time_is_409() -> None:
    """Both would hear 200, and one of them would never be sent."""

    class Slow(MemoryStore):
        async def commit(self, changes: Any, record: UnitRecord | None = None) -> Committed:
            await asyncio.sleep(0)
            return await super().commit(changes, record)

    async def test(caller: Caller) -> None:
        bodies = [{"recipient": USER, "text": text} for text in "ab"]
        statuses = [status for status, _ in await asyncio.gather(*(caller.post(TEXT, body, **KEY) for body in bodies))]
        assert sorted(statuses) == [200, 409]
        assert len(caller.publisher.records) == 1

    run(test, store=Slow())


def test_ingress_processes_know_each_others_keys(tmp_path: Path) -> None:
    """The other body would be taken as soon as the load balancer picks another process."""

    async def main() -> None:
        for text, status in (("hi", 200), ("another", 409), ("hi", 200)):
            async with api(store=JsonStore(tmp_path)) as caller:
                assert (await caller.post(TEXT, {"recipient": USER, "text": text}, **KEY))[0] == status

    asyncio.run(main())


def test_a_key_needs_the_store_and_a_send_without_one_does_not() -> None:
    """While Redis is away, the other body under a key would be answered 200 and never sent."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.post(**KEY)
        assert (status, answer, caller.headers["Retry-After"]) == (503, {"error": "not taken, send it again"}, "2")
        assert (await caller.upload("media/send-image", {"recipient": USER}, JPEG, **KEY))[0] == 503
        assert not (caller.publisher.records or caller.pieces.records)
        assert (await caller.post())[0] == 200
        assert (await caller.upload("media/send-image", {"recipient": USER}, JPEG))[0] == 200

    run(test, store=AwayStore())


def test_what_is_not_valid_takes_no_key() -> None:
    """A caller that corrects its mistake would be told that its key belongs to another send."""

    async def test(caller: Caller) -> None:
        assert (await caller.post(TEXT, {"recipient": USER, "text": ""}, **KEY))[0] == 422
        assert (await caller.upload("media/send-image", {}, JPEG, **KEY))[0] == 422
        assert (await caller.post(**KEY))[0] == 200

    run(test)
