"""One event on its way from Wasender's form to the pipeline's."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from pipeline.providers.cloud.wire import Body, Delivery
from pipeline.providers.times import instant
from pipeline.providers.wasender.envelope import Part
from pipeline.providers.wasender.identity import PROVIDER, chat_of, content_event_id, conversation

WINDOW: Final = 600
"""Seconds for which the same content without any time is the same event. Wasender publishes no schedule of retries."""
_UNIQUE: Final = ("qrcode.updated", "session.qr_code.updated")
"""Events whose content never comes again, and which carry no time."""


class Happening(NamedTuple):
    """What every kind of event is made from.

    Attributes:
        account: the session.
        chat: the contact's part of the conversation key.
        sent: the envelope's `timestamp`, as it was given.
        raw: a webhook that holds this part alone.
    """

    account: str
    part: Part
    chat: str | None
    sent: Any
    raw: Body
    delivered: Delivery

    @property
    def item(self) -> Any:
        return self.part.item

    @property
    def at(self) -> datetime:
        """The envelope's time, or that of the arrival. The envelope's is missing in some events."""
        return instant(self.sent) or self.delivered[1]

    @property
    def content_id(self) -> str:
        """The id of an event that has none of its own."""
        return content_event_id(self.account, self.part, self.sent if instant(self.sent) else self._window)

    @property
    def _window(self) -> str | None:
        arrived = int(self.delivered[1].timestamp())
        return None if self.part.event in _UNIQUE else f"window {arrived // WINDOW}"


def happening(account: str, part: Part, webhook: Body, raw: Body, delivered: Delivery) -> Happening:
    return Happening(account, part, chat_of(part), webhook.get("timestamp"), raw, delivered)


def begin(found: Happening) -> Body:
    """The envelope of an event. Its kind, its id and what belongs to them follow."""
    webhook_id, received_at, traceparent = found.delivered
    return {
        "provider": PROVIDER,
        "account": found.account,
        "conversation": conversation(found.account, found.chat),
        "contact": found.chat,
        "webhook_id": webhook_id,
        "timestamp": found.at,
        "received_at": received_at,
        "traceparent": traceparent,
        "raw": found.raw,
    }
