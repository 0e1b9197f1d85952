"""Carries out commands through the Cloud API: one POST of a message each, and what its answer means.

There is no idempotency key at Meta, so the one thing that must never happen is to try again what may have been done.
Hence four outcomes:

- accepted: a 2xx with a message id (or `success` for read marks).
- retryable: an error code that passes (`error_codes`), a connection that could not be made, or an
  answer that says nobody looked at the request (408, 425, 429, 503 without a code).
- permanent: any other error code; any other 3xx or 4xx.
- unknown: the request was written and no answer came, or an answer that does not say: a timeout, a reset, 500, 502 or
  504 without a code, a 2xx that can't be read. Its status webhooks carry the command's id and will tell.

Marking as read may be done twice without harm, so what is unknown there is retryable. An invitation to a group is a
text with the group's link, which is asked for first; asking twice does no harm either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import orjson
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    InvalidURL,
    NonHttpUrlClientError,
)

from pipeline.providers.base import Delivery, DeliveryStatus
from pipeline.providers.cloud.answer import read_answer, read_link
from pipeline.providers.cloud.bodies import build_body
from pipeline.providers.cloud.graph import bearer, graph_url
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

TIMEOUT: Final = ClientTimeout(total=None, connect=15, sock_connect=10, sock_read=30)
"""No total: when that is over nobody can tell whether the request was written."""

UNREACHED: Final = (ClientConnectorError, ConnectionTimeoutError, InvalidURL, NonHttpUrlClientError)


async def deliver(command: Command, account: Account, session: ClientSession) -> Delivery:
    """Posts one command to the account's number.

    The session's keep-alive time should be shorter than the provider's, so that few requests are written to a
    connection that is being closed: each of those is an unknown.

    Raises `UnsupportedCommand` for a kind that the Cloud API has no endpoint for, `InvalidRecord` for a body without
    what its kind needs. Nothing else is raised for what the network or Meta does, and neither the token nor a
    message's text is in any error.
    """
    if command.kind is CommandKind.GROUP_INVITE:
        link = await invite_link(command, account, session)
        if isinstance(link, Delivery):
            return link
        command = command.model_copy(update={"body": {**command.body, "link": link}})
    body = orjson.dumps(build_body(command))
    delivery = await _post(body, command, account, session)
    if command.kind is CommandKind.READ and delivery.status is DeliveryStatus.UNKNOWN:
        return replace(delivery, status=DeliveryStatus.RETRYABLE, delay=1.0)
    return delivery


async def _post(body: bytes, command: Command, account: Account, session: ClientSession) -> Delivery:
    url = graph_url(account, account.id, _endpoint(command))
    headers = bearer(account) | {"Content-Type": "application/json"}
    try:
        async with session.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False) as response:
            return read_answer(response.status, response.headers, await response.read(), command, account)
    except UNREACHED as error:
        return _failed(DeliveryStatus.RETRYABLE, error, "the Cloud API could not be reached")
    except (ClientError, TimeoutError) as error:
        return _failed(DeliveryStatus.UNKNOWN, error, "the request was written and no answer came")


def _endpoint(command: Command) -> str:
    marketing = command.kind is CommandKind.TEMPLATE and command.body.get("marketing") is True
    return "marketing_messages" if marketing else "messages"


async def invite_link(command: Command, account: Account, session: ClientSession) -> str | Delivery:
    """The link by which people join a group, or why there is none. Source: Cloud API, groups, invite link."""
    url = graph_url(account, str(command.body.get("group_id")), "invite_link")
    try:
        async with session.get(url, headers=bearer(account), timeout=TIMEOUT, allow_redirects=False) as response:
            content = await response.read()
            return read_link(content) or read_answer(response.status, response.headers, content, command, account)
    except (ClientError, TimeoutError) as error:
        return _failed(DeliveryStatus.RETRYABLE, error, "the group's link could not be asked for")


def _failed(status: DeliveryStatus, error: Exception, what: str) -> Delivery:
    delay = 1.0 if status is DeliveryStatus.RETRYABLE else 0.0
    return Delivery(status, error_message=f"{what} ({type(error).__name__})", delay=delay)
