"""Carries out commands through Wasender's API, and what its answers mean.

There is no idempotency key at Wasender, and its webhooks carry nothing of ours back. So what may have been done is
never tried again here:

- accepted: a 2xx; of a send with Wasender's own number of the message (`msgId`).
- retryable: 429 with the wait that it asks for, a connection that could not be made, or an answer that says nobody
  looked at the request.
- permanent: any other 3xx or 4xx, `"success": false` inside a 200, and what Wasender is known not to take.
- unknown: the request was written and no answer came, a 5xx, a 2xx of a send that can't be read.

Whatever may be done twice without harm (reading, typing, uploading, editing to the same text, deleting) is retryable
where a send would be unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import orjson
from aiohttp import ClientError, ClientSession

from pipeline.providers.base import Delivery, DeliveryStatus
from pipeline.providers.cloud.deliver import TIMEOUT, UNREACHED
from pipeline.providers.paths import url_path
from pipeline.providers.wasender.answer import read_answer, read_object
from pipeline.providers.wasender.bodies import Body, Call, Refusal, build_calls, upload_of
from pipeline.providers.wasender.jids import LID, normalised, phone
from pipeline.tenants import Account
from pipeline.topics.commands import Command

API: Final = "https://www.wasenderapi.com"


class _Ended(Exception):
    """A step before the last did not succeed; its delivery is the command's."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(delivery.status)
        self.delivery = delivery


async def deliver(command: Command, account: Account, session: ClientSession) -> Delivery:
    """Carries out one command: one request, but for what has to be known or uploaded before it.

    Raises `UnsupportedCommand` for a kind that Wasender has no endpoint for, `InvalidRecord` for a body without what
    its kind needs. Nothing else is raised for what the network or Wasender does, and neither the key nor a message's
    text is in any error.
    """
    attempt = _Attempt(command, account, session)
    try:
        return await attempt.run()
    except Refusal as refusal:
        return Delivery(DeliveryStatus.PERMANENT, error_message=str(refusal))
    except _Ended as ended:
        return ended.delivery


class _Attempt:
    """One attempt at one command."""

    def __init__(self, command: Command, account: Account, session: ClientSession) -> None:
        self._command = command
        self._account = account
        self._session = session
        self._base = (account.base_url or API).rstrip("/").removesuffix("/api") + "/api"

    async def run(self) -> Delivery:
        upload = upload_of(self._command)
        # What can't be done is refused before anything is asked or uploaded.
        planned = build_calls(self._command, link="to come" if upload else None)
        command = await self._addressed() if any(call.sends for call in planned) else self._command
        delivery = Delivery(DeliveryStatus.PERMANENT)
        for call in build_calls(command, await self._uploaded(upload) if upload else None):
            delivery, _ = await self._request(call)
            if delivery.status is not DeliveryStatus.ACCEPTED:
                break
        return delivery

    async def _addressed(self) -> Command:
        """Wasender sends to no linked id: the phone number behind it is asked for."""
        given = normalised(self._command.recipient)
        if not given.endswith(LID):
            return self._command
        match await self._looked_up(Call("GET", url_path("pn-from-lid", given))):
            case {"data": {"pn": str(found)}} if number := phone(found):
                return self._command.model_copy(update={"recipient": number})
        raise Refusal("WhatsApp does not tell the phone number of this linked id, and Wasender sends to no other")

    async def _uploaded(self, upload: Body) -> str:
        """Where the command's own data lies after its upload."""
        match await self._looked_up(Call("POST", "/upload", upload)):
            case {"publicUrl": str(link)} | {"data": {"publicUrl": str(link)}}:
                return link
        raise Refusal("Wasender took the upload and gave no link to it")

    async def _looked_up(self, call: Call) -> Body:
        delivery, content = await self._request(call)
        if delivery.status is not DeliveryStatus.ACCEPTED:
            raise _Ended(delivery)
        return content

    async def _request(self, call: Call) -> tuple[Delivery, Body]:
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
            return _failed(DeliveryStatus.RETRYABLE, error, "Wasender could not be reached"), {}
        except (ClientError, TimeoutError) as error:
            failed = _failed(DeliveryStatus.UNKNOWN, error, "the request was written and no answer came")
            return _repeatable(call, failed), {}
        answer = read_answer(response.status, response.headers, raw, self._command, self._account, sends=call.sends)
        return _repeatable(call, answer), read_object(raw)


def _repeatable(call: Call, delivery: Delivery) -> Delivery:
    if call.sends or delivery.status is not DeliveryStatus.UNKNOWN:
        return delivery
    return replace(delivery, status=DeliveryStatus.RETRYABLE, delay=1.0)


def _failed(status: DeliveryStatus, error: Exception, what: str) -> Delivery:
    delay = 1.0 if status is DeliveryStatus.RETRYABLE else 0.0
    return Delivery(status, error_message=f"{what} ({type(error).__name__})", delay=delay)
