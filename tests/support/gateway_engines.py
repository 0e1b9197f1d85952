"""Messages as WAHA's engines write them, for tests: one content, whichever engine read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from tests.support.gateway_webhooks import ANA, GROUP, Json, text, webhook

LID: Final = "777000111@lid"
_INITIALISMS: Final = re.compile(r"(?:Id|Jid|Url|Sha256|Ms|Json)(?=$|[A-Z])")
_WHOLE: Final = {"url": "URL", "id": "ID", "ptt": "PTT"}
_ONE_OF: Final = {"selectedDisplayText": "Response", "nativeFlowResponseMessage": "InteractiveResponseMessage"}
"""Fields of the protocol that are one of several, with Go's name for the choice."""


def in_go(value: Any) -> Any:
    """The protocol's message as Go marshals it, with what the protocol calls `id` as `ID`."""
    if isinstance(value, list):
        return [in_go(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {_go_name(name): in_go(each) for name, each in value.items() if name not in _ONE_OF}
    chosen = {
        _ONE_OF[name]: {name[:1].upper() + name[1:]: in_go(each)} for name, each in value.items() if name in _ONE_OF
    }
    return plain | chosen


def _go_name(name: str) -> str:
    return _WHOLE.get(name) or _INITIALISMS.sub(lambda found: found[0].upper(), name)


def noweb(message: Any, number: int = 1, chat: str = ANA, **more: Any) -> Json:
    """The payload of a message that NOWEB read. `more` goes into its key."""
    ours = chat.replace("@c.us", "@s.whatsapp.net")
    data = {"key": {"remoteJid": ours, "fromMe": False, "id": f"3EB0{number:04d}"} | more, "pushName": "Ana"}
    return text(number, chat, body=None, hasMedia=False, media=None, _data=data | {"message": message})


def gows(message: Any, number: int = 1, chat: str = ANA, **more: Any) -> Json:
    """The payload of a message that GOWS read. `more` goes into its info."""
    where = chat.replace("@c.us", "@s.whatsapp.net")
    info = {"Chat": where, "Sender": where, "SenderAlt": "", "RecipientAlt": "", "IsFromMe": False, "PushName": "Ana"}
    info |= {"ID": f"3EB0{number:04d}", "IsGroup": chat == GROUP} | more
    data = {"Info": info, "Message": in_go(message), "IsEphemeral": False}
    return text(number, chat, body=None, to=None, participant=None, hasMedia=False, media=None, _data=data)


ENGINES: Final[dict[str, Callable[..., Json]]] = {"NOWEB": noweb, "GOWS": gows}


def engine_webhook(engine: str, message: Any, event: str = "message", **more: Any) -> Json:
    """The webhook of a message that an engine read."""
    return webhook(event, ENGINES[engine](message, **more), engine=engine)
