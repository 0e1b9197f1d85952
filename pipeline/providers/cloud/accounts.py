"""Build account events from all fields but `messages`: templates, limits, calls, groups, preferences, echoes, …."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.providers.cloud.contacts import Contact, person_ids, to_wa_id
from pipeline.providers.cloud.envelope import WHOLE, Part
from pipeline.providers.cloud.identity import call_event_id, content_event_id
from pipeline.providers.cloud.messages import event_user, has_common_shape, is_identified
from pipeline.providers.cloud.times import part_time
from pipeline.providers.shared.shapes import validates
from pipeline.topics.events.account_types import AccountEventType as Type
from pipeline.topics.types import Json


class _EventKind(NamedTuple):
    """An event's type, and the field of the part that names the action."""

    event_type: Type
    action: str = ""


def _whole(event_type: Type, action: str = "event") -> dict[str | None, _EventKind]:
    return {WHOLE: _EventKind(event_type, action)}


def _group(event_type: Type) -> dict[str | None, _EventKind]:
    return {"groups": _EventKind(event_type, "type")}


KINDS: Final[dict[str, dict[str | None, _EventKind]]] = {
    "messages": {"user_actions": _EventKind(Type.USER_ACTION, "action_type")},
    "calls": {"calls": _EventKind(Type.CALL, "event"), "statuses": _EventKind(Type.CALL_STATUS, "status")},
    "user_preferences": {"user_preferences": _EventKind(Type.USER_PREFERENCE, "value")},
    "smb_message_echoes": {"message_echoes": _EventKind(Type.ECHO, "type")},
    "smb_app_state_sync": {"state_sync": _EventKind(Type.CONTACT, "action")},
    "history": {
        "history": _EventKind(Type.HISTORY),
        "messages": _EventKind(Type.HISTORY_MESSAGE, "type"),
        "message_echoes": _EventKind(Type.HISTORY_MESSAGE, "type"),
    },
    "standby": {
        "messages": _EventKind(Type.STANDBY_MESSAGE, "type"),
        "message_echoes": _EventKind(Type.STANDBY_ECHO, "type"),
    },
    "messaging_handovers": _whole(Type.HANDOVER) | {"messaging_handovers": _EventKind(Type.HANDOVER, "event")},
    "group_lifecycle_update": _group(Type.GROUP),
    "group_participants_update": _group(Type.GROUP_PARTICIPANTS),
    "group_settings_update": _group(Type.GROUP_SETTINGS),
    "group_status_update": _group(Type.GROUP_STATUS),
    "user_id_update": _whole(Type.USER_ID, "detail") | {"user_id_update": _EventKind(Type.USER_ID)},
    "automatic_events": _whole(Type.AUTOMATIC_EVENT, "event_name")
    | {"automatic_events": _EventKind(Type.AUTOMATIC_EVENT, "event_name")},
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
"""Kinds by the change's field and the list in its value. Parts without an entry become unknown events."""

_WITH_MESSAGE: Final = frozenset({Type.ECHO, Type.HISTORY_MESSAGE, Type.STANDBY_MESSAGE, Type.STANDBY_ECHO})


def account_event(part: Part, person: Contact | None, body: Json) -> bool:
    """Make `body` an account event. Returns False for an unknown field or list, or if the part is no object."""
    change, name, item = part
    kind = KINDS.get(change.field, {}).get(name)
    if kind is None or change.malformed or type(item) is not dict:
        return False
    body["kind"] = "account"
    body["event_type"] = kind.event_type.value
    body["event_id"] = (call_event_id(part) if change.field == "calls" else None) or content_event_id(part)
    body["timestamp"] = part_time(part) or body["received_at"]
    body["field"] = change.field
    body["data"] = item
    _set(body, "action", _action(item, kind))
    _set(body, "user", _user(part, person))
    if kind.event_type in _WITH_MESSAGE and is_identified(item):
        body["message"] = item
        return has_common_shape(item) or validates(body)
    return True


def _action(item: dict[str, Any], kind: _EventKind) -> str | None:
    found = item.get(kind.action)
    return found if type(found) is str else None


def _user(part: Part, person: Contact | None) -> dict[str, str]:
    """Return the person that the part is about. The part's own fields take precedence over its contact's."""
    found, named = event_user(part, person), person_ids(part[1], part[2])
    if named is not None:
        _set(found, "bsuid", named[0])
        _set(found, "phone_number", to_wa_id(named[1]))
    return found


def _set(body: dict[str, Any], name: str, value: object) -> None:
    if value:
        body[name] = value
