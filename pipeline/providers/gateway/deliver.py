"""Send commands by a gateway's HTTP API.

Gateways have no idempotency keys. So a message that may have been sent is never sent again: see
`pipeline.providers.cloud.deliver` for the four outcomes. Commands that create no message may be repeated, so their
unknown outcome is retryable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import orjson
from aiohttp import ClientError, ClientSession

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.code_policy import CodeTable
from pipeline.providers.gateway.answer import ErrorAnswer, GatewayAnswer, interpret
from pipeline.providers.gateway.calls import REPEATABLE, Builders, GatewayCall, build_calls
from pipeline.providers.shared.http import RETRY_DELAY, TIMEOUT, UNREACHED, no_answer
from pipeline.tenants import Account
from pipeline.topics.commands import Command


class Dialect(NamedTuple):
    """The HTTP API of one gateway.

    Attributes:
        builders: the builder of the call for each kind of command that the gateway can carry out.
        base_url: URL of an account that names none.
        headers: builds the headers of every call for an account.
        read_error: returns the error in an answer; None if it is none.
        codes: what the messenger does about each error.
    """

    builders: Builders
    base_url: str
    headers: Callable[[Account], Mapping[str, str]]
    read_error: Callable[[GatewayAnswer], ErrorAnswer | None]
    codes: CodeTable


async def send_command(dialect: Dialect, command: Command, account: Account, session: ClientSession) -> SendAttempt:
    """Make the calls of a command in order until one is not accepted, and return the last attempt.

    Raises `UnsupportedCommand` for a kind without an endpoint, `InvalidRecord` for a body without a field that its kind
    needs. Errors of the network and of the gateway are never raised.
    """
    first, *more = build_calls(command, account, dialect.builders)
    attempt = await _call(dialect, first, command, account, session)
    for call in more:
        if attempt.status is not AttemptStatus.ACCEPTED:
            break
        attempt = await _call(dialect, call, command, account, session)
    return attempt


async def _call(
    dialect: Dialect, call: GatewayCall, command: Command, account: Account, session: ClientSession
) -> SendAttempt:
    attempt = await _request(dialect, call, command, account, session)
    if command.kind in REPEATABLE and attempt.status is AttemptStatus.UNKNOWN:
        return replace(attempt, status=AttemptStatus.RETRYABLE, delay=RETRY_DELAY)
    return attempt


async def _request(
    dialect: Dialect, call: GatewayCall, command: Command, account: Account, session: ClientSession
) -> SendAttempt:
    url = (account.base_url or dialect.base_url).rstrip("/") + call.path
    headers = {"Content-Type": "application/json", **dialect.headers(account)}
    try:
        async with session.request(
            call.method, url, data=orjson.dumps(call.body), headers=headers, timeout=TIMEOUT, allow_redirects=False
        ) as response:
            answer = GatewayAnswer.of(response.status, response.headers, await response.read())
    except UNREACHED as error:
        return no_answer(AttemptStatus.RETRYABLE, error, f"{command.provider} could not be reached")
    except (ClientError, TimeoutError) as error:
        return no_answer(AttemptStatus.UNKNOWN, error, "the request was written and no answer came")
    return interpret(answer, dialect.read_error(answer), command, account, dialect.codes)
