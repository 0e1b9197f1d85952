"""Carries out commands through a gateway. WAHA's, and everybody's who is called like it.

No gateway has an idempotency key, so the one thing that must never happen is to try again what may have been done:
see `pipeline.providers.cloud.deliver` for the four outcomes. Commands that make no message may be done twice, so what
is unknown of them is retryable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import orjson
from aiohttp import ClientError, ClientSession

from pipeline.providers.base import Delivery, DeliveryStatus
from pipeline.providers.cloud.deliver import TIMEOUT, UNREACHED
from pipeline.providers.waha.answer import Answer, Refusal, meaning, words_of
from pipeline.providers.waha.bodies import BUILDERS
from pipeline.providers.waha.calls import SILENT, Builders, Call, calls
from pipeline.tenants import Account
from pipeline.topics.commands import Command

LOCAL: Final = "http://127.0.0.1:3000"
"""Where WAHA listens, if nothing else is said."""


class Dialect(NamedTuple):
    """How one gateway is spoken to.

    Attributes:
        builders: the calls of the kinds of commands that it can do.
        base_url: where it is, if the account does not say.
        headers: what every call carries for an account.
        refusal: whether an answer says no, and to what.
    """

    builders: Builders
    base_url: str
    headers: Callable[[Account], Mapping[str, str]]
    refusal: Callable[[Answer], Refusal | None]


async def carry_out(dialect: Dialect, command: Command, account: Account, session: ClientSession) -> Delivery:
    """Makes the calls of a command, one after the other for as long as they are accepted: the last one made counts.

    Raises `UnsupportedCommand` for a kind without an endpoint, `InvalidRecord` for a body without what its kind
    needs. Nothing else is raised for what the network or the gateway does.
    """
    first, *more = calls(command, account, dialect.builders)
    delivery = await _call(dialect, first, command, account, session)
    for call in more:
        if delivery.status is not DeliveryStatus.ACCEPTED:
            break
        delivery = await _call(dialect, call, command, account, session)
    return delivery


async def _call(dialect: Dialect, call: Call, command: Command, account: Account, session: ClientSession) -> Delivery:
    delivery = await _answered(dialect, call, command, account, session)
    if command.kind in SILENT and delivery.status is DeliveryStatus.UNKNOWN:
        return replace(delivery, status=DeliveryStatus.RETRYABLE, delay=1.0)
    return delivery


async def _answered(
    dialect: Dialect, call: Call, command: Command, account: Account, session: ClientSession
) -> Delivery:
    url = (account.base_url or dialect.base_url).rstrip("/") + call.path
    headers = {"Content-Type": "application/json", **dialect.headers(account)}
    try:
        async with session.request(
            call.method, url, data=orjson.dumps(call.body), headers=headers, timeout=TIMEOUT, allow_redirects=False
        ) as response:
            answer = Answer.of(response.status, response.headers, await response.read())
    except UNREACHED as error:
        words = f"{command.provider} could not be reached ({type(error).__name__})"
        return Delivery(DeliveryStatus.RETRYABLE, error_message=words, delay=1.0)
    except (ClientError, TimeoutError) as error:
        words = f"the request was written and no answer came ({type(error).__name__})"
        return Delivery(DeliveryStatus.UNKNOWN, error_message=words)
    return meaning(answer, dialect.refusal(answer), command, account)


def _refusal(answer: Answer) -> Refusal | None:
    """WAHA's errors are NestJS's: `{"statusCode", "message"}`, and 422 with the status of a session that is not up.

    Its other 422s say that an engine or an edition can't do something, which waiting does not change.
    """
    if answer.status < 400 or not answer.content:
        return None
    can_not = answer.status == 422 and "expected" not in answer.content
    return Refusal(400 if can_not else answer.status, words_of(answer.content) or f"HTTP {answer.status}")


DIALECT: Final = Dialect(BUILDERS, LOCAL, lambda account: {"X-Api-Key": account.token.get_secret_value()}, _refusal)
