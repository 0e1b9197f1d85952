"""A quick look at types, so that the usual webhook needs no model to be known as well-formed.

What fits is sure to validate as an event. What does not fit may still: it is looked at by the model itself.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from topics.events import validate

Shape: TypeAlias = dict[str, Any]
"""The exact type of each field, or the shape of the object in it. Fields that it does not name may hold anything."""


class _Rare:
    """The type of nothing: a field that has it makes the object one for the model to look at."""


_RARE: Final = _Rare

_CONTEXT: Final[Shape] = {
    "id": str,
    "from": str,
    "from_user_id": str,
    "from_parent_user_id": str,
    "forwarded": bool,
    "frequently_forwarded": bool,
    "referred_product": _RARE,
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
    "referral": _RARE,
}

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
    "conversation": _RARE,
    "errors": _RARE,
}


def fits(value: dict[str, Any], shape: Shape) -> bool:
    """Whether every field that the shape names has exactly its type."""
    for name, item in value.items():
        expected = shape.get(name)
        if expected is None or type(item) is expected:
            continue
        if type(expected) is not dict or type(item) is not dict or not fits(item, expected):
            return False
    return True


def settled(body: dict[str, Any]) -> bool:
    """The last word on an event whose shape is not the usual one: its model's."""
    try:
        validate(body)
    except ValidationError:
        return False
    return True
