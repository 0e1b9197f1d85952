"""What intake notes about people who wrote, for the checks and limits of their accounts' sends.

One record for each batch and account has it (`pipeline.topics.receipts`), because one for each message would cost as
much as the message itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.events.wire import ParsedEvent, Payload
from pipeline.topics.receipts import Inbound
from pipeline.topics.refusals import SendRefusals, plain_word
from pipeline.topics.types import Json

MARKETING: Final = "marketing_messages"
"""The category of a `user_preferences` webhook that is about marketing."""
_WRITTEN: Final = frozenset({AccountEventType.STANDBY_MESSAGE.value, AccountEventType.CALL.value})
"""Account events by which a person contacts the business, though no message comes to a handler."""
_WISHES: Final = {"stop": False, "resume": True, "signup": True}


class InboundNotes:
    """The notes of one flow. They are complete when its batch is, and go with it.

    Args:
        windowed: providers that have a service window, and count messages of both directions.
    """

    def __init__(self, windowed: Collection[str] = ()) -> None:
        self._windowed = frozenset(windowed)
        self._accounts: dict[tuple[str, str], Inbound] = {}

    def add(self, event: ParsedEvent, refusals: SendRefusals, arrived: int) -> None:
        """Note an event that arrived at a time in ms. Events that say nothing about a person are ignored.

        A person's last message counts from its arrival: a webhook that is late would close a window otherwise.
        """
        kind = event.kind
        if kind == "message":
            if event.provider in self._windowed:
                self._add_message(event, arrived // 1000)
            if refusals.opt_out_words or refusals.opt_in_words:
                self._add_word(event, refusals)
        elif kind == "account":
            self._add_account_event(event, arrived // 1000)
        elif kind == "unknown" and event.provider in self._windowed and _names(event, "message."):
            self._add_message(event, arrived // 1000)

    def take(self) -> Iterable[tuple[str, str, Inbound]]:
        """Return provider, account and notes of each account with any, and forget them."""
        taken, self._accounts = self._accounts, {}
        return [(*account, notes) for account, notes in taken.items()]

    def _add_message(self, event: ParsedEvent, seconds: int) -> None:
        notes, payload = self._notes(event), event.payload
        notes.messages += 1
        if isinstance(payload, dict):
            self._add_time(notes, payload, seconds)
            return
        written: Any = payload  # the model of the most common webhook: a text, of a person with a number
        contact = written.contact
        if notes.last.get(contact, 0) < seconds:
            notes.last[contact] = seconds
        if written.user.phone_number != contact:
            notes.same[contact] = written.user.phone_number

    def _add_time(self, notes: Inbound, body: Json, seconds: int) -> None:
        contact, user, message = body.get("contact"), body.get("user"), body.get("message")
        if not contact or _is_in_group(message):
            return
        phone = user.get("phone_number") if isinstance(user, dict) else None
        if notes.last.get(contact, 0) < seconds:
            notes.last[contact] = seconds
        if phone and phone != contact:
            notes.same[contact] = phone
        if isinstance(message, dict) and "referral" in message and notes.entry.get(contact, 0) < seconds:
            notes.entry[contact] = seconds

    def _add_word(self, event: ParsedEvent, refusals: SendRefusals) -> None:
        if _is_in_group(event.part("message")):
            return
        said = plain_word(_said(event))
        if said in refusals.opt_out_words:
            self._add_wish(event, False)
        elif said in refusals.opt_in_words:
            self._add_wish(event, True)

    def _add_account_event(self, event: ParsedEvent, seconds: int) -> None:
        kind = event.get("event_type")
        if kind == AccountEventType.USER_PREFERENCE:
            wish = _wish(event.get("data"))
            if wish is not None:
                self._add_wish(event, wish)
        elif kind in _WRITTEN and event.provider in self._windowed and _is_by_person(event):
            self._add_time(self._notes(event), event.body, seconds)

    def _add_wish(self, event: ParsedEvent, wanted: bool) -> None:
        contact, at = event.get("contact"), _seconds(event)
        phone, wishes = _phone(event), self._notes(event).wishes
        for name in {contact, phone} - {None, ""}:
            if name not in wishes or at >= wishes[name][1]:
                wishes[name] = (wanted, at)

    def _notes(self, event: ParsedEvent) -> Inbound:
        key = (event.provider, event.account)
        notes = self._accounts.get(key)
        if notes is None:
            notes = self._accounts[key] = Inbound()
        return notes


def _is_in_group(message: Any) -> bool:
    """Return True for a message to a group, by which nobody writes to the business alone."""
    return isinstance(message, dict) and bool(message.get("group_id"))


def _said(event: ParsedEvent) -> str:
    """Return the text of a message, or of the button that was tapped; empty for other messages."""
    message = event.part("message")
    match message:
        case {"text": {"body": str(said)}} | {"button": {"text": str(said)}}:
            return said
        case {"interactive": {"button_reply": {"title": str(said)}}}:
            return said
    return str(message.text.body) if isinstance(event.payload, Payload) else ""


def _phone(event: ParsedEvent) -> str:
    """Return the person's phone number; empty if it is hidden."""
    user = event.part("user")
    return (user.get("phone_number") or "") if type(user) is dict else getattr(user, "phone_number", "")


def _wish(preference: Any) -> bool | None:
    """Return whether a person's preference accepts marketing; None if it is about something else."""
    match preference:
        case {"value": str(value), **rest} if rest.get("category") in (None, MARKETING):
            return _WISHES.get(value)
    return None


def _is_by_person(event: ParsedEvent) -> bool:
    match event.get("data"):
        case {"direction": "BUSINESS_INITIATED"}:
            return False
    return True


def _names(event: ParsedEvent, prefix: str) -> bool:
    return str(event.get("event_type")).startswith(prefix)


def _seconds(event: ParsedEvent) -> int:
    """Return the event's time; 0 without one."""
    at = event.time("timestamp")
    return int(at.timestamp()) if at else 0
