"""Sends of places and people, and ways to get in touch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from pipeline.errors import Unsendable
from pipeline.handlers.outbound import checks
from pipeline.handlers.outbound.contacts import Contact, contact_of
from pipeline.handlers.outbound.sender_mixin import Body, SenderMixin, SendOptions
from pipeline.handlers.results import SendResult
from pipeline.topics.commands import CommandKind

TTL = 43_200
"""Maximum lifetime of a call button, in minutes."""


class SpecialisedSender(SenderMixin):
    """Sends location, contacts, address requests, call buttons and group invitations."""

    async def send_location(
        self,
        latitude: float,
        longitude: float,
        recipient: str,
        name: str | None = None,
        address: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a place, in degrees."""
        what = (latitude, longitude, name, address)
        return self._send(CommandKind.LOCATION, recipient, reply_to_message_id, options, location_body, *what)

    async def send_contact(
        self, contact: Contact, recipient: str, reply_to_message_id: str | None = None, **options: Unpack[SendOptions]
    ) -> SendResult:
        """Send one contact card: `ContactCard`, or a dict as the Cloud API writes it."""
        return self._send(CommandKind.CONTACTS, recipient, reply_to_message_id, options, contacts_body, [contact])

    async def send_contacts(
        self,
        contacts: Sequence[Contact],
        recipient: str,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send several contact cards in one message."""
        return self._send(CommandKind.CONTACTS, recipient, reply_to_message_id, options, contacts_body, contacts)

    async def send_address_request(
        self,
        body: str,
        recipient: str,
        country: str = "IN",
        values: Mapping[str, Any] | None = None,
        saved_addresses: Sequence[Mapping[str, Any]] | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Ask for a postal address (India). `values` fill in the form; `saved_addresses` are offered as choices."""
        what = (body, country, values, saved_addresses)
        return self._send(CommandKind.ADDRESS, recipient, reply_to_message_id, options, address_body, *what)

    async def send_call_button(
        self,
        body: str,
        recipient: str,
        button_text: str | None = None,
        ttl_minutes: int | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a button that calls the business; it works for `ttl_minutes` (by default 7 days, at most 30)."""
        what = (body, button_text, ttl_minutes)
        return self._send(CommandKind.CALL, recipient, reply_to_message_id, options, call_body, *what)

    async def send_call_permission_request(
        self, body: str, recipient: str, reply_to_message_id: str | None = None, **options: Unpack[SendOptions]
    ) -> SendResult:
        """Ask for permission to call."""
        return self._send(CommandKind.CALL_PERMISSION, recipient, reply_to_message_id, options, permission_body, body)

    async def send_group_invite(
        self,
        group_id: str,
        recipient: str,
        body: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send the link by which a user joins a group, under `body` if given."""
        what = (group_id, body)
        return self._send(CommandKind.GROUP_INVITE, recipient, reply_to_message_id, options, invite_body, *what)


def location_body(latitude: object, longitude: object, name: object, address: object) -> Body:
    """Return the body of a place."""
    return checks.given(
        latitude=degrees("latitude", latitude, 90),
        longitude=degrees("longitude", longitude, 180),
        name=checks.optional("location's name", name, 100, "INVALID_BODY"),
        address=checks.optional("location's address", address, 1000, "INVALID_BODY"),
    )


def degrees(what: str, value: object, most: float) -> float:
    """Return a number, or a string of one, between minus `most` and `most`."""
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except ValueError:
        number = math.nan
    if not -most <= number <= most:
        raise Unsendable(f"the {what} is not between -{most:g} and {most:g} degrees", "INVALID_BODY")
    return number


def contacts_body(contacts: object) -> Body:
    """Return the body of contact cards."""
    return {"contacts": [contact_of(each) for each in checks.items("contacts", contacts, 1, 257)]}


def address_body(body: object, country: object, values: object, saved: object) -> Body:
    """Return the body of a request for an address."""
    if not isinstance(country, str) or len(country) != 2 or not country.isupper():
        raise Unsendable("the country is not two capital letters, e.g. IN")
    filled = None if values is None else checks.mapping("address' values", values)
    listed = None if saved is None else [checks.mapping("saved address", each) for each in _listed(saved)]
    return checks.given(text=checks.body_text(body), country=country, values=filled, saved_addresses=listed)


def _listed(saved: object) -> Sequence[Any]:
    return checks.items("saved addresses", saved, 1, 100)


def call_body(body: object, button_text: object, ttl: object) -> Body:
    """Return the body of a call button."""
    if ttl is not None and not (isinstance(ttl, int) and 1 <= ttl <= TTL):
        raise Unsendable(f"ttl_minutes is not between 1 and {TTL:,}")
    title = checks.optional("button's text", button_text, checks.BUTTON, "BUTTON_TEXT_TOO_LONG")
    return checks.given(text=checks.body_text(body), button=title, ttl_minutes=ttl)


def permission_body(body: object) -> Body:
    """Return the body of a request to call."""
    return {"text": checks.body_text(body)}


def invite_body(group_id: object, body: object) -> Body:
    """Return the body of a group invitation."""
    text = checks.optional("body", body, checks.BODY, "BODY_TOO_LONG")
    return checks.given(group_id=checks.text("group id", group_id, 512), text=text)
