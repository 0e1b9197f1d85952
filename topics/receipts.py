"""Receipts: what intake tells the messenger about an account. They are on `commands.receipts`, keyed by account.

- A status webhook of a message that this project sent: that its command was accepted, and what became of it. It names
  the command where the provider brings callback data back, else the message.
- Once for each batch and account: who wrote, how many messages, and who wants marketing (`pipeline.topics.inbound`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec

from pipeline.topics.callback_data import decode_callback_data
from pipeline.topics.commands import PREFIX
from pipeline.topics.events.wire import ParsedEvent

CARRYING: Final = frozenset({"status", "unknown"})
"""Kinds of events that may be the status of a message; a status that this version can't parse is `unknown`."""
NO_COMMAND: Final = "-"
"""The `command_id` of a receipt that names none. Older messengers take it for a command that they never saw."""
TEXT_LIMIT: Final = 200
"""Characters of an error's title."""


class Inbound(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """What people did at an account in one batch of intake. Times are unix seconds, contacts as in conversation keys.

    Attributes:
        messages: messages to the account. A batch that is run again after a crash is counted again.
        last: the arrival of the last message of each contact.
        entry: the arrival of the last message of each contact that came by an ad.
        same: two names of one person, from the business-scoped user id to the phone number.
        wishes: whether a contact wants marketing, and since when.
    """

    messages: int = 0
    last: dict[str, int] = {}
    entry: dict[str, int] = {}
    same: dict[str, str] = {}
    wishes: dict[str, tuple[bool, int]] = {}


class Receipt(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """A status of a message, or the messages of people (`inbound`).

    Attributes:
        command_id: the command that the status names; `NO_COMMAND` if it names a message, or nothing.
        message_id: the provider's id of the message; empty if the status has none.
        status: the status, e.g. `delivered`; empty if it has none.
        recipient: the person's id, as the status names it.
        at: the status' time in unix seconds; None from versions before this field.
        error_code: the provider's code if the status is `failed`.
        error_message: the title of that code.
        of_member: True if the message went to a group, so that the status is about one of its members.
        sent_at: the time of the call, if the status brought it back.
        campaign: the same for the campaign.
        tags: the same for the tags.
    """

    command_id: str
    message_id: str
    status: str
    recipient: str = ""
    at: float | None = None
    error_code: int | None = None
    error_message: str | None = None
    of_member: bool = False
    sent_at: datetime | None = None
    campaign: str | None = None
    tags: tuple[str, ...] | None = None
    inbound: Inbound | None = None


def receipt_of(event: ParsedEvent, joined_by_message: Collection[str] = ()) -> Receipt | None:
    """Return the receipt for a status of one of our own messages; None for other events.

    Any status counts: the first one may be late or lost, and one with an unknown field still names the command.

    Args:
        joined_by_message: providers without callback data, whose statuses name a message only.
    """
    if event.kind not in CARRYING:
        return None
    named = event.part("business_opaque_data")
    if type(named) is str and named.startswith(PREFIX):
        return _receipt(event, named, _text(event, "message_id"))
    if event.provider not in joined_by_message:
        return None
    # Wasender's own number of a message is what it answered to the call. The others know one id.
    message_id = _text(event, "msg_id") or _text(event, "message_id")
    return _receipt(event, NO_COMMAND, message_id) if message_id else None


def join_id(message_id: str) -> str:
    """Return the part of a message's id that the answer to a call and all statuses have in common.

    WhatsApp Web's ids may begin with direction and chat (`true_15550001111@c.us_3EB0`). Gateways' engines differ in
    that, and one may answer without and report with it.
    """
    match message_id.split("_"):
        case ["true", _, bare, *_]:
            return bare
    return message_id


def named_by_id(receipt: Receipt) -> Receipt:
    """Return a receipt whose `command_id` may be callback data, with the id in its place and the rest beside it."""
    found = decode_callback_data(receipt.command_id)
    if found is None:
        return receipt
    command_id, (sent_at, campaign, tags) = found
    return msgspec.structs.replace(
        receipt, command_id=command_id, sent_at=sent_at, campaign=campaign, tags=tags or None
    )


def inbound_receipt(inbound: Inbound) -> Receipt:
    return Receipt(command_id=NO_COMMAND, message_id="", status="", inbound=inbound)


def _receipt(event: ParsedEvent, command_id: str, message_id: str) -> Receipt:
    status, at = _text(event, "status"), event.time("timestamp")
    code, title = _error(event) if status == "failed" else (None, None)
    tags = event.part("tags")
    return Receipt(
        command_id=command_id,
        message_id=message_id,
        status=status,
        recipient=_text(event, "recipient_bsuid") or _text(event, "recipient_phone_id"),
        at=at.timestamp() if at else None,
        error_code=code,
        error_message=title,
        of_member=event.part("recipient_type") == "group",
        sent_at=event.time("sent_at"),
        campaign=_text(event, "campaign") or None,
        tags=tuple(tags) if type(tags) is list else None,
    )


def _error(event: ParsedEvent) -> tuple[int | None, str | None]:
    """Return code and title of the first error. Other texts are left out: they may quote the message."""
    match event.part("errors"):
        case [{"code": code, **more}, *_] if type(code) is int:
            title = more.get("title")
            return code, title[:TEXT_LIMIT] if isinstance(title, str) else None
    return None, None


def _text(event: ParsedEvent, name: str) -> str:
    value = event.part(name)
    return value if isinstance(value, str) else ""
