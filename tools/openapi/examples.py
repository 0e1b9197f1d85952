"""One body for each path of the HTTP API. A test sends them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_TO: Final = {"recipient": "15550001111"}
_TEMPLATE: Final = _TO | {"template_name": "order_shipped", "language_code": "en_US", "category": "utility"}

EXAMPLES: Final[Mapping[str, dict[str, Any]]] = {
    "messages/send-text": _TO | {"text": "Your parcel is on its way."},
    "messages/mark-as-read": {"message_id": "wamid.HBgLMTU1NTAwMDExMTE", "typing": True},
    "media/send-image": _TO | {"media_source": "https://shop.example/tea.jpg", "caption": "Assam"},
    "media/send-video": _TO | {"media_source": "https://shop.example/brewing.mp4", "caption": "Three minutes"},
    "media/send-audio": _TO | {"media_source": "1234567890", "is_voice": True},
    "media/send-document": _TO | {"media_source": "https://shop.example/17.pdf", "filename": "invoice.pdf"},
    "media/send-sticker": _TO | {"media_source": "https://shop.example/tea.webp"},
    "interactive/send-buttons": _TO
    | {"body": "Shall we?", "buttons": [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}]},
    "interactive/send-list": _TO
    | {
        "body": "Which tea?",
        "button_text": "Teas",
        "sections": [{"title": "Black", "rows": [{"id": "assam", "title": "Assam", "description": "100 g"}]}],
    },
    "interactive/send-cta": _TO
    | {"body": "Where is it?", "button_text": "Track", "button_url": "https://shop.example/track/17"},
    "templates/send-text": _TEMPLATE | {"body_parameters": ["Ana", "17"]},
    "templates/send-media": _TEMPLATE
    | {
        "media_header": {"media_type": "image", "media_url": "https://shop.example/parcel.jpg"},
        "body_parameters": ["Ana"],
    },
    "templates/send-location": _TEMPLATE
    | {"location_header": {"latitude": 37.48, "longitude": -122.14, "name": "Shop", "address": "Main Street 1"}},
    "specialized/send-contact": _TO
    | {
        "contact": {"name": {"formatted_name": "Ana Silva", "first_name": "Ana"}, "phones": [{"phone": "+15550003333"}]}
    },
    "specialized/send-location": _TO | {"latitude": 37.48, "longitude": -122.14, "name": "Shop"},
    "specialized/send-location-request": _TO | {"body": "Where shall we deliver?"},
}
