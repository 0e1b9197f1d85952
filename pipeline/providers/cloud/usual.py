"""The usual webhook, made into its event in one go: one text message or one status of one person.

Nearly all traffic has this form, and the general way (`parse`) costs twice as much for it: it looks for any number of
parts of any kind. This looks for exactly one form and gives up, with None, at anything else: every field of the form
is read by its name, and an object that has as many fields as were read of it has no others. That both ways come to
the same event is a property that `tests/unit/test_cloud_usual.py` holds over generated webhooks.
"""

from __future__ import annotations

from typing import Any

from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.cloud.wire import Body, Delivery, instant
from topics.events.wire import WireEvent


def usual(webhook: dict[str, Any], delivered: Delivery) -> WireEvent | None:
    """The event of a webhook of the usual form; None for any other."""
    try:
        (entry,) = webhook["entry"]
        (change,) = entry["changes"]
        value = change["value"]
        metadata = value["metadata"]
        # Nothing but the two fields that are read of each: what else there is may be of any depth.
        if change["field"] != "messages" or len(webhook) + len(entry) + len(change) + len(metadata) != 8:
            return None
        if not _texts(webhook["object"], value["messaging_product"]):
            return None
        make = _message if "messages" in value else _status
        return make(webhook, entry["id"], value, delivered)
    except (KeyError, TypeError, ValueError, AttributeError):  # it is not built like that
        return None


def _message(webhook: Body, business: Any, value: Body, delivered: Delivery) -> WireEvent | None:
    (item,), (contact,), metadata = value["messages"], value["contacts"], value["metadata"]
    text, user = item["text"], _user(item, contact, contact["profile"])
    if user is None or len(value) != 4 or len(text) != 1:
        return None
    account, display, sender = metadata["phone_number_id"], metadata["display_phone_number"], item["from"]
    message_id, seconds = item["id"], item["timestamp"]
    if item["type"] != "text" or type(text["body"]) is not str or contact["wa_id"] != sender:
        return None
    if not _texts(account, display, business, sender, message_id, seconds) or not _is_phone(sender):
        return None
    at, chat = instant(seconds), user.get("bsuid") or sender
    webhook_id, received_at, traceparent = delivered
    conversation, event_id = f"cloud:{account}:{chat}", f"cloud:{account}:{message_id}"
    # One display: a dict that grows to this size is laid out anew twice.
    body = {
        "provider": PROVIDER,
        "account": account,
        "business_id": business,
        "display_phone_number": display,
        "conversation": conversation,
        "contact": chat,
        "webhook_id": webhook_id,
        "timestamp": at,
        "received_at": received_at,
        "traceparent": traceparent,
        "kind": "message",
        "event_type": "message.text",
        "event_id": event_id,
        "user": user,
        "message": item,
        "raw": webhook,
    }
    return WireEvent(event_id, "message", conversation, body) if at is not None else None


def _user(item: Body, contact: Body, profile: Body) -> Body | None:
    """Who wrote it, with or without a business-scoped id and a username. None: something else is there."""
    sender, name = item["from"], profile["name"]
    if (len(item), len(contact), len(profile)) == (5, 2, 1):
        return {"profile_name": name, "phone_number": sender} if _texts(name) else None
    user_id = item["from_user_id"]
    if (len(item), len(contact)) != (6, 3) or contact["user_id"] != user_id or not _texts(name, user_id):
        return None
    if len(profile) == 1:
        return {"profile_name": name, "phone_number": sender, "bsuid": user_id}
    username = profile["username"]
    if len(profile) != 2 or not _texts(username):
        return None
    return {"profile_name": name, "username": username, "phone_number": sender, "bsuid": user_id}


def _status(webhook: Body, business: Any, value: Body, delivered: Delivery) -> WireEvent | None:
    (item,), metadata = value["statuses"], value["metadata"]
    if len(value) != 3:
        return None
    account, display, recipient = metadata["phone_number_id"], metadata["display_phone_number"], item["recipient_id"]
    message_id, status, seconds = item["id"], item["status"], item["timestamp"]
    more = _more(item)
    if more is None or not _texts(account, display, business, recipient, message_id, status, seconds):
        return None
    at = instant(seconds)
    webhook_id, received_at, traceparent = delivered
    conversation, event_id = f"cloud:{account}:{recipient}", f"cloud:{account}:{message_id}:{status}:{recipient}"
    body = {
        "provider": PROVIDER,
        "account": account,
        "business_id": business,
        "display_phone_number": display,
        "conversation": conversation,
        "contact": recipient,
        "webhook_id": webhook_id,
        "timestamp": at,
        "received_at": received_at,
        "traceparent": traceparent,
        "kind": "status",
        "event_type": f"status.{status}",
        "event_id": event_id,
        "message_id": message_id,
        "status": status,
        "recipient_phone_id": recipient,
        **more,
        "raw": webhook,
    }
    return WireEvent(event_id, "status", conversation, body) if at is not None and _is_phone(recipient) else None


def _more(item: Body) -> Body | None:
    """What a status of our own sends carries beside the rest. None: something else is there."""
    if len(item) == 4:
        return {}
    tag = item["biz_opaque_callback_data"]
    if len(item) == 5:
        return {"business_opaque_data": tag} if type(tag) is str else None
    pricing = item["pricing"]
    words = (pricing["pricing_model"], pricing["type"], pricing["category"])
    usual_pricing = len(pricing) == 4 and type(pricing["billable"]) is bool and _texts(*words)
    if len(item) != 6 or type(tag) is not str or not usual_pricing:
        return None
    return {"business_opaque_data": tag, "pricing": pricing}


def _is_phone(text: str) -> bool:
    return text.isdecimal() and text.isascii()


def _texts(*values: Any) -> bool:
    """Whether all are strings with something in them."""
    for value in values:  # noqa: SIM110 (`all` with a generator costs three times as much)
        if type(value) is not str or not value:
            return False
    return True
