"""The shapes that nearly all messages and statuses of the Cloud API have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.providers.shared.shapes import REQUIRED, Shape, Unusual

_CONTEXT: Final[Shape] = {
    "id": str,
    "from": str,
    "from_user_id": str,
    "from_parent_user_id": str,
    "forwarded": bool,
    "frequently_forwarded": bool,
    "referred_product": Unusual,
}

MESSAGE: Final[Shape] = {
    "id": str,
    "from": str,
    "from_user_id": str,
    "from_parent_user_id": str,
    "group_id": str,
    "timestamp": str,
    "type": str,
    "context": _CONTEXT,
    "referral": Unusual,
    "errors": Unusual,
}

_MEDIA: Final[Shape] = {
    "id": str,
    "mime_type": str,
    "sha256": str,
    "url": str,
    "caption": str,
    "filename": str,
    "file_size": Unusual,
    "duration": Unusual,
}

CONTENTS: Final[Mapping[str, Shape]] = {
    "text": {REQUIRED: ("body",), "body": str},
    "image": _MEDIA,
    "video": _MEDIA | {"note": Unusual, "width": Unusual, "height": Unusual},
    "audio": _MEDIA | {"voice": bool},
    "document": _MEDIA,
    "sticker": _MEDIA | {"animated": bool},
    "location": {
        REQUIRED: ("latitude", "longitude"),
        "latitude": float,
        "longitude": float,
        "name": str,
        "address": str,
        "url": str,
        "live": bool,
    },
    "interactive": {
        REQUIRED: ("type",),
        "type": str,
        "button_reply": {REQUIRED: ("id",), "id": str, "title": str},
        "list_reply": {REQUIRED: ("id",), "id": str, "title": str, "description": str},
        "nfm_reply": {"name": str, "body": str, "response_json": str},
        "call_permission_reply": Unusual,
    },
    "button": {"text": str, "payload": str},
    "reaction": {REQUIRED: ("message_id",), "message_id": str, "emoji": str},
}
"""The content of the common message types. The model decides about all others."""

STATUS: Final[Shape] = {
    "id": str,
    "status": str,
    "timestamp": str,
    "recipient_id": str,
    "recipient_user_id": str,
    "recipient_parent_user_id": str,
    "recipient_type": str,
    "recipient_participant_id": str,
    "recipient_participant_user_id": str,
    "recipient_participant_parent_user_id": str,
    "recipient_identity_key_hash": str,
    "biz_opaque_callback_data": str,
    "pricing": {"billable": bool, "pricing_model": str, "type": str, "category": str},
    "conversation": Unusual,
    "errors": Unusual,
}
