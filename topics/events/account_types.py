"""The types of account events, with the same name for all providers: `AccountEvent.event_type`."""

from __future__ import annotations

from pipeline.topics.events.names import OpenName


class AccountEventType(OpenName):
    """The types of account events. The shape of `data` is the model in `pipeline.topics.events.details.DETAILS`."""

    TEMPLATE_STATUS = "template.status"
    TEMPLATE_QUALITY = "template.quality"
    TEMPLATE_CATEGORY = "template.category"
    TEMPLATE_COMPONENTS = "template.components"

    ACCOUNT_UPDATE = "account.update"
    """Restriction, violation, ban, partner and pricing changes of the WABA."""
    ACCOUNT_ALERT = "account.alert"
    ACCOUNT_REVIEW = "account.review"
    ACCOUNT_CAPABILITY = "account.capability"
    """The messaging limit has changed."""
    ACCOUNT_OFFBOARDED = "account.offboarded"
    ACCOUNT_RECONNECTED = "account.reconnected"
    ACCOUNT_USERNAME = "account.username"
    ACCOUNT_SECURITY = "account.security"
    ACCOUNT_PAYMENT = "account.payment"
    ACCOUNT_PARTNER = "account.partner"
    PHONE_NUMBER_QUALITY = "phone_number.quality"
    """Quality, and a raised throughput."""
    PHONE_NUMBER_NAME = "phone_number.name"

    CALL = "call"
    """A call rings, was taken, has ended."""
    CALL_STATUS = "call.status"
    """The status of a call that the business made."""

    FLOW = "flow"
    AUTOMATIC_EVENT = "automatic_event"
    HANDOVER = "handover"
    """A conversation is handed to somebody else (an agent of Meta's), or back."""

    USER_PREFERENCE = "user.preference"
    """Marketing stopped or resumed by a user."""
    USER_ACTION = "user.action"
    USER_ID = "user.id"
    USER_PRESENCE = "user.presence"

    CONTACT = "contact"
    """The business' address book: a contact was added, changed, removed."""
    CHAT = "chat"
    """A chat was added, changed, archived, deleted."""
    LABEL = "label"
    """A label was made, changed, deleted, put on a chat or taken off."""

    GROUP = "group"
    """A group was made, changed, deleted; the account joined or left it."""
    GROUP_PARTICIPANTS = "group.participants"
    GROUP_SETTINGS = "group.settings"
    GROUP_STATUS = "group.status"

    ECHO = "echo"
    """A message that the business sent, by its phone or by this API. Never answer one."""
    HISTORY = "history"
    """Messages from before the number was connected."""
    HISTORY_MESSAGE = "history.message"
    STANDBY_MESSAGE = "standby.message"
    """A user's message while somebody else holds the conversation. Don't answer."""
    STANDBY_ECHO = "standby.echo"

    SESSION_STATUS = "session.status"
    SESSION_QR = "session.qr"
    POLL_RESULTS = "poll.results"
    """All results of a poll."""
    EVENT_RESPONSE = "event.response"
    """A user's answer to an invitation."""
    MESSAGE_WAITING = "message.waiting"
    """A message that can't be read yet; it comes as a message event later."""
