"""Who is on the other side, in the words of the event models.

Whose phone number is hidden is known by a LID alone. It takes the place of the business-scoped user id: it names the
user as long as the number is hidden, and it is what an answer is sent to. Where a webhook tells both, the user has
both: `lid` beside the number.
"""

from __future__ import annotations

from typing import Any

from pipeline.providers.waha.engine import inner
from pipeline.providers.waha.identity import Origin, Payload, engine_data
from pipeline.providers.waha.jids import phone


def user(origin: Origin, payload: Payload) -> dict[str, str]:
    """Who wrote it; empty if nobody did."""
    jid = origin.writer
    if jid is None:
        return {}
    named = names(jid, "phone_number", "bsuid") | {"jid": jid}
    if origin.linked_id:
        named["lid"] = origin.linked_id
    profile = _profile(engine_data(payload))
    return named | ({"profile_name": profile} if profile else {})


def names(jid: str, by_phone: str, by_id: str) -> dict[str, str]:
    """The field that names a person: one for phone numbers, the other for every other JID."""
    number = phone(jid)
    return {by_phone: number} if number else {by_id: jid}


def _profile(data: dict[str, Any]) -> str | None:
    """Each engine has a name of its own for it."""
    found = (data.get("notifyName"), data.get("pushName"), inner(data, "Info").get("PushName"))
    return next((name for name in found if type(name) is str and name), None)
