"""Send commands by the Cloud API: one POST per message.

Meta has no idempotency keys. So a message that may have been sent is never sent again, and there are four outcomes:

- accepted: a 2xx with a message id (or `success` for read marks).
- retryable: a transient error code (`error_codes`), no connection, or an answer without a code that proves that the
  request was not processed (408, 425, 429, 503).
- permanent: any other error code; any other 3xx or 4xx.
- unknown: the request was written, but no answer came or the answer does not decide: a timeout, a reset, 500, 502 or
  504 without a code, an unreadable 2xx. Status webhooks carry the command's id and resolve it.

Marking as read may be repeated without harm, so its unknown outcome is retryable. An invitation to a group is a text
with the group's link. The link is requested first, which may be repeated as well.
"""

from __future__ import annotations

from dataclasses import replace

import orjson
from aiohttp import ClientError, ClientSession

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.cloud.answer import interpret, read_invite_link
from pipeline.providers.cloud.bodies import build_body
from pipeline.providers.cloud.graph import bearer, graph_url
from pipeline.providers.shared.http import RETRY_DELAY, TIMEOUT, UNREACHED, no_answer
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind


async def send_command(command: Command, account: Account, session: ClientSession) -> SendAttempt:
    """Post one command to the account's number.

    Use a session whose keep-alive time is shorter than Meta's. Otherwise some requests are written to connections that
    Meta is closing, and the outcome of each of those is unknown.

    Raises `UnsupportedCommand` for a kind that the Cloud API has no endpoint for, `InvalidRecord` for a body without a
    field that its kind needs. Errors of the network and of Meta are never raised, and no error text contains the token
    or a message's text.
    """
    if command.kind is CommandKind.GROUP_INVITE:
        link = await fetch_invite_link(command, account, session)
        if isinstance(link, SendAttempt):
            return link
        command = command.model_copy(update={"body": {**command.body, "link": link}})
    body = orjson.dumps(build_body(command))
    attempt = await _post(body, command, account, session)
    if command.kind is CommandKind.READ and attempt.status is AttemptStatus.UNKNOWN:
        return replace(attempt, status=AttemptStatus.RETRYABLE, delay=RETRY_DELAY)
    return attempt


async def _post(body: bytes, command: Command, account: Account, session: ClientSession) -> SendAttempt:
    url = graph_url(account, account.id, _endpoint(command))
    headers = bearer(account) | {"Content-Type": "application/json"}
    try:
        async with session.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False) as response:
            return interpret(response.status, response.headers, await response.read(), command, account)
    except UNREACHED as error:
        return no_answer(AttemptStatus.RETRYABLE, error, "the Cloud API could not be reached")
    except (ClientError, TimeoutError) as error:
        return no_answer(AttemptStatus.UNKNOWN, error, "the request was written and no answer came")


def _endpoint(command: Command) -> str:
    marketing = command.kind is CommandKind.TEMPLATE and command.body.get("marketing") is True
    return "marketing_messages" if marketing else "messages"


async def fetch_invite_link(command: Command, account: Account, session: ClientSession) -> str | SendAttempt:
    """Return the link by which people join a group, or the failed attempt. Source: Cloud API, groups, invite link."""
    url = graph_url(account, str(command.body.get("group_id")), "invite_link")
    try:
        async with session.get(url, headers=bearer(account), timeout=TIMEOUT, allow_redirects=False) as response:
            content = await response.read()
            return read_invite_link(content) or interpret(response.status, response.headers, content, command, account)
    except (ClientError, TimeoutError) as error:
        return no_answer(AttemptStatus.RETRYABLE, error, "the group's link could not be asked for")
