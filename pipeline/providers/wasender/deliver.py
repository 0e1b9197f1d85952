"""Send commands by Wasender's API.

Wasender has no idempotency keys, and its webhooks contain no id of ours. So a message that may have been sent is never
sent again:

- accepted: a 2xx; for a message with Wasender's own number of it (`msgId`).
- retryable: 429 with the requested wait, no connection, or an answer that proves that the request was not processed.
- permanent: any other 3xx or 4xx, `"success": false` inside a 200, and commands that Wasender can't carry out.
- unknown: the request was written and no answer came, a 5xx, an unreadable 2xx for a message.

Calls that may be repeated without harm (reading, typing, uploading, editing, deleting) are retryable where a message
would be unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import orjson
from aiohttp import ClientError, ClientSession

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.shared.http import RETRY_DELAY, TIMEOUT, UNREACHED, no_answer, read_object
from pipeline.providers.shared.paths import url_path
from pipeline.providers.wasender.answer import interpret
from pipeline.providers.wasender.bodies import NotPossible, WasenderCall, build_calls, upload_of
from pipeline.providers.wasender.jids import LID, normalize_jid, phone_number
from pipeline.tenants import Account
from pipeline.topics.commands import Command
from pipeline.topics.types import Json

API: Final = "https://www.wasenderapi.com"


class _StepFailed(Exception):
    """A call before the last one failed. Its attempt is the command's."""

    def __init__(self, attempt: SendAttempt) -> None:
        super().__init__(attempt.status)
        self.attempt = attempt


async def send_command(command: Command, account: Account, session: ClientSession) -> SendAttempt:
    """Carry out one command: one request, after the lookups and uploads that it needs.

    Raises `UnsupportedCommand` for a kind without an endpoint, `InvalidRecord` for a body without a required field.
    Errors of the network and of Wasender are never raised, and no error text contains the key or a message's text.
    """
    sender = _CommandSender(command, account, session)
    try:
        return await sender.run()
    except NotPossible as error:
        return SendAttempt(AttemptStatus.PERMANENT, error_message=str(error))
    except _StepFailed as failed:
        return failed.attempt


class _CommandSender:
    """Makes the calls of one command."""

    def __init__(self, command: Command, account: Account, session: ClientSession) -> None:
        self._command = command
        self._account = account
        self._session = session
        self._base = (account.base_url or API).rstrip("/").removesuffix("/api") + "/api"

    async def run(self) -> SendAttempt:
        upload = upload_of(self._command)
        # What can't be done fails before anything is looked up or uploaded.
        planned = build_calls(self._command, link="to come" if upload else None)
        command = await self._with_phone_number() if any(call.creates_message for call in planned) else self._command
        attempt = SendAttempt(AttemptStatus.PERMANENT)
        for call in build_calls(command, await self._upload(upload) if upload else None):
            attempt, _ = await self._request(call)
            if attempt.status is not AttemptStatus.ACCEPTED:
                break
        return attempt

    async def _with_phone_number(self) -> Command:
        """Return the command with the phone number of a linked id, because Wasender can't send to linked ids."""
        given = normalize_jid(self._command.recipient)
        if not given.endswith(LID):
            return self._command
        match await self._request_or_fail(WasenderCall("GET", url_path("pn-from-lid", given))):
            case {"data": {"pn": str(found)}} if number := phone_number(found):
                return self._command.model_copy(update={"recipient": number})
        raise NotPossible("WhatsApp does not tell the phone number of this linked id, and Wasender sends to no other")

    async def _upload(self, upload: Json) -> str:
        """Upload the command's inline data and return its URL."""
        match await self._request_or_fail(WasenderCall("POST", "/upload", upload)):
            case {"publicUrl": str(link)} | {"data": {"publicUrl": str(link)}}:
                return link
        raise NotPossible("Wasender took the upload and gave no link to it")

    async def _request_or_fail(self, call: WasenderCall) -> Json:
        attempt, content = await self._request(call)
        if attempt.status is not AttemptStatus.ACCEPTED:
            raise _StepFailed(attempt)
        return content

    async def _request(self, call: WasenderCall) -> tuple[SendAttempt, Json]:
        headers = {"Authorization": f"Bearer {self._account.token.get_secret_value()}", "Accept": "application/json"}
        body = None if call.body is None else orjson.dumps(call.body)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                call.method, self._base + call.path, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as response:
                raw = await response.read()
        except UNREACHED as error:
            return no_answer(AttemptStatus.RETRYABLE, error, "Wasender could not be reached"), {}
        except (ClientError, TimeoutError) as error:
            failed = no_answer(AttemptStatus.UNKNOWN, error, "the request was written and no answer came")
            return _retry_if_repeatable(call, failed), {}
        answer = interpret(
            response.status, response.headers, raw, self._command, self._account, creates_message=call.creates_message
        )
        return _retry_if_repeatable(call, answer), read_object(raw)


def _retry_if_repeatable(call: WasenderCall, attempt: SendAttempt) -> SendAttempt:
    if call.creates_message or attempt.status is not AttemptStatus.UNKNOWN:
        return attempt
    return replace(attempt, status=AttemptStatus.RETRYABLE, delay=RETRY_DELAY)
