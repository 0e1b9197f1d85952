"""Convert vCards (RFC 6350, and version 3, which WhatsApp writes) into contacts of the Cloud API's shape."""

from __future__ import annotations

import re
from typing import Any, Final

_LINE: Final = re.compile(r"^(?:item\d+\.)?([A-Za-z-]+)((?:;[^:]*)?):(.*)$")
_WAID: Final = re.compile(r"waid=(\d+)", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"\\(.)")


def parse_vcard(card: str) -> dict[str, Any]:
    """Return the contact of one vCard: name, phones with their WhatsApp ids, e-mail addresses, organisation."""
    name: dict[str, str] = {"formatted_name": ""}
    contact: dict[str, Any] = {"name": name, "phones": []}
    for field, parameters, value in _lines(card):
        if field == "FN":
            name["formatted_name"] = value
        elif field == "TEL":
            waid = _WAID.search(parameters)
            contact["phones"].append({"phone": value} | ({"wa_id": waid[1]} if waid else {}))
        elif field == "EMAIL":
            contact.setdefault("emails", []).append({"email": value})
        elif field == "ORG":
            contact["org"] = {"company": value.rstrip(";")}
    return contact | {"vcard": card}


def _lines(card: str) -> list[tuple[str, str, str]]:
    found = (_LINE.match(line) for line in card.replace("\r\n ", "").replace("\n ", "").splitlines())
    return [(match[1].upper(), match[2], _ESCAPED.sub(r"\1", match[3]).strip()) for match in found if match]
