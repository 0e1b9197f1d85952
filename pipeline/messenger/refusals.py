"""The sends that fail before the call, because their tenant wants it so: too late, or to somebody who declined.

What is not known refuses nothing: a person who was never seen to write, or an intake that is behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from pipeline.messenger.contacts import (
    RESOLUTION,
    Contact,
    ContactTable,
    contact_key,
    find_contact,
    note_inbound,
)
from pipeline.providers.base import Provider, ServiceWindowProvider
from pipeline.tenants import Tenants
from pipeline.topics.commands import Command, CommandKind, Priority
from pipeline.topics.receipts import Inbound
from pipeline.topics.refusals import RefusalReason, SendRefusals

MAX_OPEN: Final = 100_000
"""Windows that are remembered in memory. Beyond them all are forgotten, and looked up in the table."""
MARKETING: Final = "marketing"
"""The category of a template that is marketing."""
_ALWAYS: Final = frozenset({CommandKind.TEMPLATE, CommandKind.READ, CommandKind.TYPING})
"""Kinds that need no service window."""
_TEXTS: Final = {
    RefusalReason.OUTSIDE_SERVICE_WINDOW: "its recipient has not written within the service window: send a template",
    RefusalReason.OPTED_OUT: "its recipient declined marketing: send none until it is accepted again",
}


class Refusal(NamedTuple):
    """A send that must not be made."""

    reason: RefusalReason

    @property
    def text(self) -> str:
        """What is wrong, and what to do."""
        return _TEXTS[self.reason]


Check = Callable[[float], Refusal | None]
"""A function of unix seconds: the refusal of one command at that time."""


class Refusals:
    """Finds the sends that fail before the call."""

    def __init__(self, tenants: Tenants, providers: Mapping[str, Provider]) -> None:
        self._tenants = tenants
        self._providers = providers
        self._windows = {name: each for name, each in providers.items() if isinstance(each, ServiceWindowProvider)}
        self._open: dict[str, float] = {}  # how long a window is open at least, by the key of its contact

    def check(self, command: Command, table: Callable[[], ContactTable]) -> Check | None:
        """Return the check of a command; None if nothing could refuse it."""
        owner = self._tenants.owner(command.provider, command.account)
        if owner is None:
            return None
        window = self._window(command, owner.refusals)
        marketing = owner.refusals.opted_out and is_marketing(command)
        if not (window or marketing):
            return None
        name = self._providers[command.provider].contact(command.recipient)
        return partial(self._find, command.account_key, name, table, window, marketing)

    def note(self, account: str, inbound: Inbound, table: ContactTable) -> None:
        """Write what people did into their rows, and remember the windows that are open: answers follow soon."""
        note_inbound(account, inbound, table)
        if window := self._windows.get(account.partition(":")[0]):
            for name, last in inbound.last.items():
                self._remember(contact_key(account, name), last + window.service_window)

    def _window(self, command: Command, refusals: SendRefusals) -> ServiceWindowProvider | None:
        if command.kind in _ALWAYS or not refusals.outside_window:
            return None
        return self._windows.get(command.provider)

    def _find(
        self,
        account: str,
        name: str,
        table: Callable[[], ContactTable],
        window: ServiceWindowProvider | None,
        marketing: bool,
        now: float,
    ) -> Refusal | None:
        key = contact_key(account, name)
        if not marketing and self._open.get(key, 0.0) >= now:
            return None
        contact = find_contact(account, name, table())
        if marketing and contact.declined:
            return Refusal(RefusalReason.OPTED_OUT)
        if window and contact.last:
            ends = _end(contact, window)
            if now > ends:
                return Refusal(RefusalReason.OUTSIDE_SERVICE_WINDOW)
            self._remember(key, ends)
        return None

    def _remember(self, key: str, ends: float) -> None:
        """Remember that a window is open until then. It can only become longer, whoever owns the account."""
        if len(self._open) >= MAX_OPEN:
            self._open.clear()
        self._open[key] = ends


def is_marketing(command: Command) -> bool:
    """Return True for a template of that category, and for a campaign in bulk that is not of another category."""
    category = command.body.get("category") if command.kind is CommandKind.TEMPLATE else None
    if category or command.body.get(MARKETING) is True:
        return category in (None, MARKETING)
    return command.priority is Priority.BULK and command.campaign is not None


def _end(contact: Contact, window: ServiceWindowProvider) -> float:
    """Return the unix time from which the person's window is surely over."""
    entry = contact.entry + window.entry_window if contact.entry else 0.0
    return max(contact.last + window.service_window, entry) + RESOLUTION
