"""What a message refers to: the message it quotes, that it was forwarded, the ad that its writer came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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
    found: dict[str, Any] = {"context": _context(info, contact), "referral": _referral(info.get("externalAdReply"))}
    mentioned = info.get("mentionedJid")
    if type(mentioned) is list:
        found["mentions"] = [each for jid in mentioned if (each := contact(jid))]
    return {name: value for name, value in found.items() if value}


def _context(info: dict[str, Any], contact: Contact) -> dict[str, Any]:
    made: dict[str, Any] = {}
    quoted, writer, score = info.get("stanzaId"), contact(info.get("participant")), info.get("forwardingScore")
    if type(quoted) is str and quoted:
        made["id"] = quoted
        made |= {"from" if writer.isdecimal() else "from_user_id": writer} if writer else {}
    if info.get("isForwarded") is True:
        made["forwarded"] = True
    if type(score) is int and score >= _OFTEN:
        made["frequently_forwarded"] = True
    return made


def _referral(ad: Any) -> dict[str, Any]:
    return {ours: ad[theirs] for theirs, ours in _AD.items() if type(ad.get(theirs)) is str} if _is_ad(ad) else {}


def _is_ad(ad: Any) -> bool:
    """Link previews use the same field; an ad has an id or a click."""
    return type(ad) is dict and bool(ad.get("sourceId") or ad.get("ctwaClid"))
