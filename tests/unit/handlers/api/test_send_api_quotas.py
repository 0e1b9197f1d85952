"""Quotas of the HTTP API over HTTP: who is told to wait, for how long, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from pipeline.ingress.send_quotas import SendDefaults
from tests.support.send_api import QUOTAS, USER, Caller, api

FEW = SendDefaults(rate=0.001, burst=8, interactive_rate=0.001, interactive_burst=4, key_share=1.0)
"""Too slow for another one to be admitted while a test runs."""
TEMPLATE = {"recipient": USER, "template_name": "sale", "language_code": "en"}


def run(test: Callable[[Caller], Awaitable[None]], quotas: SendDefaults = FEW) -> None:
    async def main() -> None:
        async with api(quotas=quotas) as caller:
            await test(caller)

    asyncio.run(main())


async def statuses(caller: Caller, count: int, **more: Any) -> list[int]:
    return [(await caller.post(body={"recipient": USER, "text": "hi"} | more))[0] for _ in range(count)]


def test_a_send_over_the_quota_is_told_when_to_come_again() -> None:
    """A program that runs wild would put thousands of sends before another tenant's answers."""

    async def test(caller: Caller) -> None:
        assert await statuses(caller, 5) == [200] * 4 + [429]
        status, said = await caller.post()
        assert (status, said["success"], said["error_code"], said["tenant_id"]) == (429, False, "RATE_LIMITED", "acme")
        seconds = int(caller.headers["Retry-After"])
        assert 990 <= seconds <= 1000
        assert said["error"] == (
            f"the quota of interactive sends is used up: ask again after {seconds} s, or send it as bulk"
        )
        assert len(caller.publisher.records) == 4

    run(test)


def test_what_is_over_the_interactive_quota_is_not_made_bulk() -> None:
    """A message would overtake another one of its conversation, and nobody would know why."""

    async def test(caller: Caller) -> None:
        await statuses(caller, 5)
        assert await statuses(caller, 2, priority="bulk") == [200, 200]
        assert [b'"priority":"bulk"' in record.value for record in caller.publisher.records] == [False] * 4 + [True] * 2

    run(test)


def test_bulk_sends_have_a_quota_and_it_is_asked_before_the_body_is_read() -> None:
    """A campaign would take the processor of the ingress, with bodies that nobody needs."""

    async def test(caller: Caller) -> None:
        assert await statuses(caller, 9, priority="bulk") == [200] * 8 + [429]
        status, said = await caller.post(body=b"no json, and nobody looks")
        assert status == 429
        assert said["error"].startswith("the quota of sends is used up: ask again after ")

    run(test)


def test_a_marketing_template_counts_as_bulk() -> None:
    """A campaign of templates would use the quota of answers up."""

    async def test(caller: Caller) -> None:
        sent = [TEMPLATE | {"category": "marketing"}] * 5 + [TEMPLATE | {"category": "utility"}] * 3
        found = [(await caller.post("templates/send-text", each))[0] for each in sent]
        assert found == [200] * 8
        asked = TEMPLATE | {"category": "marketing", "priority": "interactive"}
        assert (await caller.post("templates/send-text", asked))[0] == 429

    run(test)


def test_other_keys_and_tenants_are_not_told_to_wait() -> None:
    """One key that runs wild would stop a tenant's other programs, or another tenant's."""

    async def test(caller: Caller) -> None:
        assert await statuses(caller, 3) == [200, 200, 429]
        assert (await caller.post(key="acme-old"))[0] == 200
        assert (await caller.post(key="globex-key", x_inbox_id="wawp-1"))[0] == 200

    run(test, FEW._replace(key_share=0.5))


@pytest.mark.parametrize(("key", "status"), [("guess", 401), (None, 401)])
def test_who_has_no_key_is_not_counted(key: str | None, status: int) -> None:
    """A stranger could use a tenant's quota up."""

    async def test(caller: Caller) -> None:
        assert {(await caller.post(key=key))[0] for _ in range(20)} == {status}
        assert await statuses(caller, 4) == [200] * 4

    run(test)


def test_rejections_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody would see that a tenant is told to wait, or the log would hold a line for each of a million requests."""

    async def test(caller: Caller) -> None:
        before = _counted("interactive")
        await statuses(caller, 8)
        assert _counted("interactive") == before + 4

    run(test)
    assert sum("tenant_over_quota" in record.getMessage() for record in caplog.records) == 1


def _counted(quota: str) -> float:
    return REGISTRY.get_sample_value("pipeline_over_quota_total", {"tenant": "acme", "quota": quota}) or 0.0


def test_the_usual_caller_never_meets_its_quota() -> None:
    """A shop that sends a hundred messages at once would be told to wait."""

    async def test(caller: Caller) -> None:
        assert await statuses(caller, 100) == [200] * 100

    run(test, QUOTAS)
