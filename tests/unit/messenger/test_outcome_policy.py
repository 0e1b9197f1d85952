"""Every documented error code injected: what happens equals the table.

The answers are the sandbox's for codes, and a proxy's for HTTP statuses without one. The parsers are the
providers' own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Final, NamedTuple

import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from pipeline.backoff import MAX_ASKED_JITTER
from pipeline.providers import PROVIDERS
from pipeline.providers.cloud.error_codes import NUMBER_LIMIT, PAIR_LIMIT
from pipeline.providers.code_policy import CUT_OFF, UNREACHED, Action, CodePolicy
from pipeline.sandbox.cloud.errors import known, reported
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import served
from pipeline.testing import TestRecord
from pipeline.testing.provider_calls import HttpHandler, responds
from pipeline.topics.outcomes import OutcomeStatus
from tests.support.cloud_webhooks import status, value, webhook
from tests.support.code_policies import TRIES, Done, inject, one_code_each, table_of
from tests.support.ports import free_ports

UNLISTED: Final = {"cloud": 987_654, "wasender": 418, "wawp": 418, "waha": 418}
"""A code that no table has."""
SANDBOX_LIMIT: Final = 2.0
"""Seconds that a 429 of the sandbox's Wasender asks to wait for: one, and one for whole seconds."""


def expected(done: Done, policy: CodePolicy, code: int | None, asked: float = 0.0) -> list[str]:
    """Return what differs between what the messenger did and the row, in words; nothing if all is as the row says."""
    wrong = {
        "calls": done.calls != _calls(policy),
        "end": (done.end, done.code) != _end(policy, code),
        "pause": not _within(done.paused, policy, 1, asked) if policy.pauses_account else done.paused != 0,
        "delays": not all(_within(each, policy, number, asked) for number, each in enumerate(done.delays, 1)),
    }
    return [name for name, differs in wrong.items() if differs]


def _calls(policy: CodePolicy) -> int:
    return min(policy.retry.max_attempts or TRIES, TRIES) if policy.action is Action.RETRY else 1


def _end(policy: CodePolicy, code: int | None) -> tuple[OutcomeStatus | None, int | None]:
    """Return status and code of the outcome; None for both if there is none yet."""
    ends = policy.action is Action.PERMANENT or (policy.action is Action.RETRY and policy.retry.max_attempts)
    return (OutcomeStatus.FAILED, code) if ends else (None, None)


def _within(seconds: float, policy: CodePolicy, attempt: int, asked: float) -> bool:
    """Return True if a delay is that of the row or the one that was asked for, with jitter on top."""
    delay, most = policy.retry.delay(attempt, 0), policy.retry.delay(attempt, 1)
    late = min(asked * policy.retry.jitter, MAX_ASKED_JITTER)
    return max(delay, asked) - 0.01 <= seconds <= max(most, asked + late) + 0.01


def alerted(caplog: pytest.LogCaptureFixture) -> set[int]:
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    found = [line for line in lines if line.get("event") == "account_needs_attention"]
    assert all(line["tenant"] == "acme" and line["detail"] and line["level"] == "error" for line in found)
    return {line["code"] for line in found}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_happens_after_each_code_equals_the_table(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    """If the messenger did something else than the page says, whoever is woken by a code would do the wrong thing."""
    table = table_of(provider)
    rows = dict(one_code_each(table.codes)) | {UNLISTED[provider]: table.other}
    rows.pop(200, None)  # no code of a fault
    recipients = {code: f"1555{number:07}" for number, code in enumerate(rows)}

    async def run() -> dict[int, Done]:
        async with served(SandboxConfig(port=0, statuses=())) as url, ClientSession() as session:
            errors = [{"code": code, "to": to, "times": None} for code, to in recipients.items()]
            faults = {"errors": errors, "limits": {"messages_per_second": None}}
            assert (await session.post(f"{url}/_sandbox/faults", json=faults)).status == 200
            return {code: await inject(provider, url, to) for code, to in recipients.items()}

    with caplog.at_level(logging.ERROR):
        done = asyncio.run(run())
    asked = {429: SANDBOX_LIMIT} if provider == "wasender" else {}
    wrong = {code: expected(done[code], policy, code, asked.get(code, 0.0)) for code, policy in rows.items()}
    assert {code: (found, done[code]) for code, found in wrong.items() if found} == {}
    assert alerted(caplog) == {code for code, policy in rows.items() if policy.alerts}


class Told(NamedTuple):
    """An answer, its row, and the code that its outcome has."""

    answer: HttpHandler
    policy: CodePolicy
    code: int | None


def without_code(provider: str) -> Iterator[Told]:
    """Yield the answers of proxies, and what else no sandbox says."""
    table = table_of(provider)
    for code, policy in one_code_each(table.statuses):
        yield Told(responds(code, b"<html>"), policy, code)
    if table.other_status:
        yield Told(responds(451, b"<html>"), table.other_status, 451)
    if table.transient:
        error = {"code": UNLISTED[provider], "message": "no", "is_transient": True}
        yield Told(responds(400, {"error": error}), table.transient, UNLISTED[provider])
    if provider == "wasender":
        yield Told(responds(200, {"success": False, "message": "no"}), table.codes[200], 200)
    yield Told(_cut_off, CUT_OFF, None)


async def _cut_off(request: web.Request) -> web.Response:
    """Close the connection once the request has been read."""
    await request.read()
    assert request.transport
    request.transport.abort()
    return web.Response()


async def answered(provider: str, answer: HttpHandler) -> Done:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        return await inject(provider, f"http://127.0.0.1:{server.port}", "15550001111")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_happens_after_an_answer_without_a_code_equals_the_table(provider: str) -> None:
    """If a proxy's page were taken for the provider's word, a message would be lost, or sent twice."""
    for told in without_code(provider):
        done = asyncio.run(answered(provider, told.answer))
        assert (expected(done, told.policy, told.code), done) == ([], done), told.policy.meaning


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_happens_when_nobody_is_there_equals_the_table(provider: str) -> None:
    """If a gateway that is down failed its commands, every restart of it would lose a conversation."""
    done = asyncio.run(inject(provider, f"http://127.0.0.1:{free_ports()}", "15550001111"))
    assert (expected(done, UNREACHED, None), done) == ([], done)


def _meta(code: int, headers: dict[str, str]) -> HttpHandler:
    return responds(400, known(code).body(), headers)


USAGE: Final = {"X-Business-Use-Case-Usage": '{"1": [{"type": "x"}, {"estimated_time_to_regain_access": 20}], "2": 5}'}


@pytest.mark.parametrize(
    ("provider", "answer", "code", "asked"),
    [
        ("cloud", _meta(NUMBER_LIMIT, {"Retry-After": "90"}), NUMBER_LIMIT, 90.0),
        ("cloud", _meta(PAIR_LIMIT, {"Retry-After": "90"}), PAIR_LIMIT, 90.0),
        ("cloud", _meta(80007, USAGE), 80007, 1200.0),
        ("cloud", _meta(131016, {"Retry-After": "90"}), 131016, 90.0),
        ("cloud", responds(429, b"", {"Retry-After": "90"}), 429, 90.0),
        ("wasender", responds(429, {"message": "slow down", "retry_after": 90}), 429, 91.0),
        ("wasender", responds(503, b"", {"Retry-After": "90"}), 503, 90.0),
        ("wawp", responds(429, {"message": "slow down", "retry_after": 900}), 429, 900.0),
        ("waha", responds(429, {"message": "slow down", "statusCode": 429}, {"Retry-After": "900"}), 429, 900.0),
        ("waha", responds(503, b"", {"Retry-After": "90"}), 503, 90.0),
    ],
)
def test_what_an_answer_asks_for_is_waited_for(provider: str, answer: HttpHandler, code: int, asked: float) -> None:
    """If `Retry-After`, or `retry_after` in a body, were undercut, the account would be throttled for longer."""
    policy = table_of(provider).policy(code)
    done = asyncio.run(answered(provider, answer))
    assert (expected(done, policy, code, asked), done) == ([], done)


@pytest.mark.parametrize("usage", ["", "{", "[]", '{"1": 5}', '{"1": [{"estimated_time_to_regain_access": "soon"}]}'])
def test_a_usage_that_says_nothing_changes_nothing(usage: str) -> None:
    """If an odd header raised, every throttled command would become a dead letter."""
    done = asyncio.run(answered("cloud", _meta(80007, {"X-Business-Use-Case-Usage": usage})))
    assert expected(done, table_of("cloud").policy(80007), 80007) == []


def test_a_status_webhook_brings_the_code_later() -> None:
    """If a code were lost on its way to the handlers, nobody would know why an accepted message never arrived."""
    codes = [code for code, policy in table_of("cloud").codes.items() if policy.by_status]
    assert {131026, 131042, 131047, 131049} <= set(codes)
    for code in codes:
        body = orjson.dumps(webhook(value(statuses=[status("wamid.1", "failed") | {"errors": [reported(code)]}])))
        (event,) = PROVIDERS["cloud"].parse(TestRecord(body))
        assert [error["code"] for error in event.body["errors"]] == [code]
