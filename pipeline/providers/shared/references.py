"""What a message refers to: the message it quotes, that it was forwarded, the ad that its writer came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.providers.shared.fields import identifier

Contact = Callable[[object], str | None]
"""How a provider names a person in keys: the digits of a phone number, else the address; None for nobody."""

_OFTEN: Final = 5
"""Forwards from which on WhatsApp calls a message frequently forwarded."""
_AD: Final = {
    "sourceUrl": "source_url",
    "sourceId": "source_id",
    "sourceType": "source_type",
    "title": "headline",
    "body": "body",
    "thumbnailUrl": "thumbnail_url",
    "ctwaClid": "ctwa_clid",
}


def references(info: dict[str, Any], contact: Contact) -> dict[str, Any]:
    """`context`, `referral` and `mentions` of a message, as far as WhatsApp's `contextInfo` tells."""
    found: dict[str, Any] = {"context": _context(info, contact), "referral": referral(info.get("externalAdReply"))}
    mentioned = info.get("mentionedJid")
    if type(mentioned) is list:
        found["mentions"] = [each for jid in mentioned if (each := contact(jid))]
    return {name: value for name, value in found.items() if value}


def forwarding(info: dict[str, Any]) -> dict[str, bool]:
    """Whether a message was forwarded, and often."""
    score = info.get("forwardingScore")
    often = type(score) is int and score >= _OFTEN
    told = {"forwarded": info.get("isForwarded") is True, "frequently_forwarded": often}
    return {name: True for name, value in told.items() if value}


def _context(info: dict[str, Any], contact: Contact) -> dict[str, Any]:
    quoted, writer = identifier(info.get("stanzaId")), contact(info.get("participant"))
    made: dict[str, Any] = {}
    if quoted:
        made["id"] = quoted
        made |= {"from" if writer.isdecimal() else "from_user_id": writer} if writer else {}
    return made | forwarding(info)


def referral(ad: Any) -> dict[str, Any]:
    """The Cloud API's `referral` of an ad, in WhatsApp's words; empty for what is none."""
    told = {ours: identifier(ad.get(theirs)) for theirs, ours in _AD.items()} if _is_ad(ad) else {}
    return {name: value for name, value in told.items() if value}


def _is_ad(ad: Any) -> bool:
    """Link previews use the same field; an ad has an id, a click, or says so."""
    return type(ad) is dict and bool(ad.get("sourceId") or ad.get("ctwaClid") or ad.get("sourceType") == "ad")
