"""Every other field of a WABA: templates, limits, calls, groups, preferences, echoes, history, standby."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.providers.cloud.envelope import WHOLE, Part
from pipeline.providers.cloud.identity import call_event_id, content_event_id
from pipeline.providers.cloud.messages import is_identified, is_usual, user
from pipeline.providers.cloud.people import Person, digits, ids
from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body, time_of
from pipeline.topics.events.account_types import AccountEventType as Type


class _Kind(NamedTuple):
    """What a part is, and the field of it that says what happened."""

    event_type: Type
    action: str = ""


def _whole(event_type: Type, action: str = "event") -> dict[str | None, _Kind]:
    return {WHOLE: _Kind(event_type, action)}


def _group(event_type: Type) -> dict[str | None, _Kind]:
    return {"groups": _Kind(event_type, "type")}


KINDS: Final[dict[str, dict[str | None, _Kind]]] = {
    "messages": {"user_actions": _Kind(Type.USER_ACTION, "action_type")},
    "calls": {"calls": _Kind(Type.CALL, "event"), "statuses": _Kind(Type.CALL_STATUS, "status")},
    "user_preferences": {"user_preferences": _Kind(Type.USER_PREFERENCE, "value")},
    "smb_message_echoes": {"message_echoes": _Kind(Type.ECHO, "type")},
    "smb_app_state_sync": {"state_sync": _Kind(Type.CONTACT, "action")},
    "history": {
        "history": _Kind(Type.HISTORY),
        "messages": _Kind(Type.HISTORY_MESSAGE, "type"),
        "message_echoes": _Kind(Type.HISTORY_MESSAGE, "type"),
    },
    "standby": {
        "messages": _Kind(Type.STANDBY_MESSAGE, "type"),
        "message_echoes": _Kind(Type.STANDBY_ECHO, "type"),
    },
    "messaging_handovers": _whole(Type.HANDOVER) | {"messaging_handovers": _Kind(Type.HANDOVER, "event")},
    "group_lifecycle_update": _group(Type.GROUP),
    "group_participants_update": _group(Type.GROUP_PARTICIPANTS),
    "group_settings_update": _group(Type.GROUP_SETTINGS),
    "group_status_update": _group(Type.GROUP_STATUS),
    "user_id_update": _whole(Type.USER_ID, "detail") | {"user_id_update": _Kind(Type.USER_ID)},
    "automatic_events": _whole(Type.AUTOMATIC_EVENT, "event_name")
    | {"automatic_events": _Kind(Type.AUTOMATIC_EVENT, "event_name")},
    "message_template_status_update": _whole(Type.TEMPLATE_STATUS),
    "message_template_quality_update": _whole(Type.TEMPLATE_QUALITY, "new_quality_score"),
    "message_template_components_update": _whole(Type.TEMPLATE_COMPONENTS),
    "template_category_update": _whole(Type.TEMPLATE_CATEGORY, "new_category"),
    "account_update": _whole(Type.ACCOUNT_UPDATE),
    "account_alerts": _whole(Type.ACCOUNT_ALERT),
    "account_review_update": _whole(Type.ACCOUNT_REVIEW, "decision"),
    "account_offboarded": _whole(Type.ACCOUNT_OFFBOARDED, "reason"),
    "account_reconnected": _whole(Type.ACCOUNT_RECONNECTED, "reason"),
    "business_capability_update": _whole(Type.ACCOUNT_CAPABILITY),
    "business_username_updates": _whole(Type.ACCOUNT_USERNAME, "status"),
    "partner_solutions": _whole(Type.ACCOUNT_PARTNER),
    "payment_configuration_update": _whole(Type.ACCOUNT_PAYMENT, "status"),
    "phone_number_name_update": _whole(Type.PHONE_NUMBER_NAME, "decision"),
    "phone_number_quality_update": _whole(Type.PHONE_NUMBER_QUALITY),
    "security": _whole(Type.ACCOUNT_SECURITY),
    "flows": _whole(Type.FLOW),
}
"""By the field of the change and the list in its value. What is not here is an unknown event."""

_WITH_MESSAGE: Final = frozenset({Type.ECHO, Type.HISTORY_MESSAGE, Type.STANDBY_MESSAGE, Type.STANDBY_ECHO})


def account(part: Part, person: Person | None, body: Body) -> bool:
    """Makes `body` an account event. False, if nobody knows the field or the list, or the part is no object."""
    change, name, item = part
    kind = KINDS.get(change.field, {}).get(name)
    if kind is None or change.malformed or type(item) is not dict:
        return False
    body["kind"] = "account"
    body["event_type"] = kind.event_type.value
    body["event_id"] = (call_event_id(part) if change.field == "calls" else None) or content_event_id(part)
    body["timestamp"] = time_of(part) or body["received_at"]
    body["field"] = change.field
    body["data"] = item
    _add(body, "action", _action(item, kind))
    _add(body, "user", _user(part, person))
    if kind.event_type in _WITH_MESSAGE and is_identified(item):
        body["message"] = item
        return is_usual(item) or settled(body)
    return True


def _action(item: dict[str, Any], kind: _Kind) -> str | None:
    found = item.get(kind.action)
    return found if type(found) is str else None


def _user(part: Part, person: Person | None) -> dict[str, str]:
    """Who it is about: what the contact says, under what the part itself says."""
    found, named = user(part, person), ids(part[1], part[2])
    if named is not None:
        _add(found, "bsuid", named[0])
        _add(found, "phone_number", digits(named[1]))
    return found


def _add(body: dict[str, Any], name: str, value: object) -> None:
    if value:
        body[name] = value
