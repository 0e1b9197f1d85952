"""WasenderAPI: sessions of WhatsApp Web behind an HTTP API."""

from __future__ import annotations

from typing import Final

from pipeline.providers.wasender.authenticate import is_authentic
from pipeline.providers.wasender.bodies import KINDS
from pipeline.providers.wasender.deliver import send_command
from pipeline.providers.wasender.error_codes import TABLE
from pipeline.providers.wasender.identity import PROVIDER
from pipeline.providers.wasender.jids import contact_key
from pipeline.providers.wasender.parse import parse_record
from pipeline.providers.wasender.split import split_webhook


class Wasender:
    """Wasender as a `pipeline.providers.base.Provider`. Each session has its own secret and key."""

    name: Final = PROVIDER
    kinds: Final = KINDS
    codes: Final = TABLE

    authenticate = staticmethod(is_authentic)
    authenticate_head = staticmethod(is_authentic)
    """The secret is in the head, so both checks are the same."""
    split = staticmethod(split_webhook)
    parse = staticmethod(parse_record)
    deliver = staticmethod(send_command)

    def contact(self, recipient: str) -> str:
        return contact_key(recipient) or recipient
