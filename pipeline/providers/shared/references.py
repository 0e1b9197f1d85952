"""Read the references of a message: the quoted message, forwarding, and the ad that its author came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.providers.shared.fields import identifier

Contact = Callable[[object], str | None]
"""Converts an address to the contact's part of a key: a phone number's digits, else the address; None for nobody."""

_OFTEN: Final = 5
"""Number of forwards from which WhatsApp calls a message frequently forwarded."""
_AD: Final = {
    "sourceUrl": "source_url",
    "sourceId": "source_id",
    "sourceType": "source_type",
    "title": "headline",
    "body": "body",
    "thumbnailUrl": "thumbnail_url",
    "ctwaClid": "ctwa_clid",
}


def read_references(info: dict[str, Any], contact: Contact) -> dict[str, Any]:
    """Return `context`, `referral` and `mentions` of a message from the protocol's `contextInfo`."""
    found: dict[str, Any] = {"context": _context(info, contact), "referral": read_referral(info.get("externalAdReply"))}
    mentioned = info.get("mentionedJid")
    if type(mentioned) is list:
        found["mentions"] = [each for jid in mentioned if (each := contact(jid))]
    return {name: value for name, value in found.items() if value}


def forward_flags(info: dict[str, Any]) -> dict[str, bool]:
    """Return the flags of a forwarded message: `forwarded` and `frequently_forwarded`."""
    score = info.get("forwardingScore")
    often = type(score) is int and score >= _OFTEN
    flags = {"forwarded": info.get("isForwarded") is True, "frequently_forwarded": often}
    return {name: True for name, value in flags.items() if value}


def _context(info: dict[str, Any], contact: Contact) -> dict[str, Any]:
    quoted, writer = identifier(info.get("stanzaId")), contact(info.get("participant"))
    made: dict[str, Any] = {}
    if quoted:
        made["id"] = quoted
        made |= {"from" if writer.isdecimal() else "from_user_id": writer} if writer else {}
    return made | forward_flags(info)


def read_referral(ad: Any) -> dict[str, Any]:
    """Return the Cloud API's `referral` of an ad in the protocol's form; empty for anything else."""
    fields = {ours: identifier(ad.get(theirs)) for theirs, ours in _AD.items()} if _is_ad(ad) else {}
    return {name: value for name, value in fields.items() if value}


def _is_ad(ad: Any) -> bool:
    """Return True for an ad. Link previews use the same field, but only ads have an id, a click id or the type `ad`."""
    return type(ad) is dict and bool(ad.get("sourceId") or ad.get("ctwaClid") or ad.get("sourceType") == "ad")
