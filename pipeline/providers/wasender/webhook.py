"""A Wasender webhook as a member of a typed union, with the names of Wasender's Python SDK.

Handlers get events of one form for all providers. Write new code against these. This module is for code that was
written against the SDK, and for fields that only Wasender has:

    match read(event.raw):
        case SessionStatusEvent(data=SessionStatusData(status="need_scan")): ...
        case MessagesEvent(data=messages): ...

Unlike the SDK it accepts every form that the servers send: `data` as an object, a list or flat, words and numbers as
statuses, both spellings of every name. A webhook without a fitting model is an `UnknownWebhookEvent`; none is rejected.
Sources: Wasender's webhook pages and its SDKs.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeAlias, TypeVar

from pydantic import Field, ValidationError

from pipeline.providers.wasender import envelope
from pipeline.topics.events.model import EventModel
from pipeline.topics.events.names import OpenName


class WasenderWebhookEventType(OpenName):
    """The event's name. Any other name becomes a new member."""

    MESSAGES_RECEIVED = "messages.received"
    MESSAGES_RECIEVED = "messages.recieved"
    """The SDK's spelling."""
    MESSAGES_UPSERT = "messages.upsert"
    PERSONAL_MESSAGE_RECEIVED = "messages-personal.received"
    GROUP_MESSAGE_RECEIVED = "messages-group.received"
    NEWSLETTER_MESSAGE_RECEIVED = "messages-newsletter.received"
    MESSAGES_UPDATE = "messages.update"
    MESSAGES_DELETE = "messages.delete"
    MESSAGES_REACTION = "messages.reaction"
    MESSAGE_RECEIPT_UPDATE = "message-receipt.update"
    MESSAGE_SENT = "message.sent"
    MESSAGE_CREATED = "message.created"
    MESSAGE_UPDATED = "message.updated"
    SESSION_STATUS = "session.status"
    SESSION_QR_CODE_UPDATED = "session.qr_code.updated"
    QRCODE_UPDATED = "qrcode.updated"
    CHATS_UPSERT = "chats.upsert"
    CHATS_UPDATE = "chats.update"
    CHATS_DELETE = "chats.delete"
    GROUPS_UPSERT = "groups.upsert"
    GROUPS_UPDATE = "groups.update"
    GROUP_PARTICIPANTS_UPDATE = "group-participants.update"
    CONTACTS_UPSERT = "contacts.upsert"
    CONTACTS_UPDATE = "contacts.update"
    POLL_RESULTS = "poll.results"
    CALL = "call"
    CALL_RECEIVED = "call.received"


class MessageKey(EventModel):
    """The identity of a message: WhatsApp's `id`, the chat and the author. `msg_id` is Wasender's own number."""

    id: str | None = None
    from_me: bool | None = Field(None, alias="fromMe")
    remote_jid: str | None = Field(None, alias="remoteJid")
    participant: str | None = None
    msg_id: int | str | None = Field(None, alias="msgId")
    sender_pn: str | None = Field(None, alias="senderPn")
    cleaned_sender_pn: str | None = Field(None, alias="cleanedSenderPn")
    sender_lid: str | None = Field(None, alias="senderLid")
    participant_pn: str | None = Field(None, alias="participantPn")
    cleaned_participant_pn: str | None = Field(None, alias="cleanedParticipantPn")
    participant_lid: str | None = Field(None, alias="participantLid")
    addressing_mode: str | None = Field(None, alias="addressingMode")


class MessageEntry(EventModel):
    """A message. `message` has the protocol's form; without it, the stub type names the placeholder."""

    key: MessageKey
    message: dict[str, Any] | None = Field(None, repr=False)
    message_body: str | None = Field(None, alias="messageBody", repr=False)
    push_name: str | None = Field(None, alias="pushName", repr=False)
    message_timestamp: Any = Field(None, alias="messageTimestamp")
    message_stub_type: Any = Field(None, alias="messageStubType")


class StatusUpdate(EventModel):
    """A status as a number from 0 (error) to 5 (played), or as a word."""

    status: int | str | None = None


class MessagesUpdateEntry(EventModel):
    key: MessageKey
    update: StatusUpdate


class Receipt(EventModel):
    user_jid: str | None = Field(None, alias="userJid")
    status: str | None = None
    t: int | None = None
    receipt_timestamp: int | None = Field(None, alias="receiptTimestamp")
    read_timestamp: int | None = Field(None, alias="readTimestamp")


class MessageReceiptEntry(EventModel):
    key: MessageKey
    receipt: Receipt


class Reaction(EventModel):
    """A reaction. An empty `text` removes it. `key` is that of the reaction, or of the message that it is about."""

    text: str | None = None
    key: MessageKey | None = None
    sender_timestamp_ms: int | None = Field(None, alias="senderTimestampMs")


class MessagesReactionEntry(EventModel):
    key: MessageKey
    reaction: Reaction


class MessageSentData(EventModel):
    key: MessageKey
    message: dict[str, Any] | None = Field(None, repr=False)
    success: bool | None = None
    status: int | str | None = None
    error: Any = None


class MessageInfo(EventModel):
    """A message in the form of the SDK's documentation. No server is known to send it."""

    id: str
    from_number: str = Field(alias="from")
    to_number: str = Field(alias="to")
    type: str
    text: str | None = Field(None, repr=False)


class MessageCreatedData(EventModel):
    message: MessageInfo


class SessionStatusData(EventModel):
    """A session's status: connected, disconnected, need_scan, connecting, logged_out or expired, in any case."""

    status: str
    reason: str | None = None


class QrCodeUpdatedData(EventModel):
    """A login code. `qr` is a fingerprint, because the ingress replaces the code."""

    qr: str | None = Field(None, repr=False)


class ChatEntry(EventModel):
    id: str
    name: str | None = Field(None, repr=False)
    conversation_timestamp: int | None = Field(None, alias="conversationTimestamp")
    unread_count: int | None = Field(None, alias="unreadCount")
    mute_end_time: int | None = Field(None, alias="muteEndTime")
    is_spam: bool | None = Field(None, alias="isSpam")


class _Addressed(EventModel):
    """An address, which the Python SDK calls `jid` and the TypeScript SDK `id`."""

    jid: str | None = None
    id: str | None = None

    @property
    def address(self) -> str:
        return self.jid or self.id or ""


class GroupParticipant(EventModel):
    id: str
    admin: str | None = None


class GroupMetadata(_Addressed):
    subject: str | None = Field(None, repr=False)
    creation: int | None = None
    owner: str | None = None
    desc: str | None = Field(None, repr=False)
    participants: list[GroupParticipant | str] = Field(default_factory=list)
    announce: bool | None = None
    restrict: bool | None = None


class GroupParticipantsUpdateData(_Addressed):
    """A change of participants. `action`: add, remove, promote, demote."""

    participants: list[GroupParticipant | str] = Field(default_factory=list)
    action: str


class ContactEntry(_Addressed):
    name: str | None = Field(None, repr=False)
    notify: str | None = Field(None, repr=False)
    verified_name: str | None = Field(None, alias="verifiedName")
    status: str | None = Field(None, repr=False)
    img_url: str | None = Field(None, alias="imgUrl")


class PollOption(EventModel):
    name: str = Field(repr=False)
    voters: list[str] = Field(default_factory=list, repr=False)


class PollResultsData(EventModel):
    """All votes of a poll."""

    key: MessageKey
    poll_result: list[PollOption] = Field(alias="pollResult")


class CallData(EventModel):
    """A call. `status` is `offer` first; others follow."""

    id: str | None = None
    from_: str | None = Field(None, alias="from")
    date: str | None = None
    is_group: bool | None = Field(None, alias="isGroup")
    is_video: bool | None = Field(None, alias="isVideo")
    status: str | None = None


DT = TypeVar("DT")


class BaseWebhookEvent(EventModel, Generic[DT]):
    """The envelope. `timestamp` is in seconds or milliseconds, unchanged; `session_id` may be a fingerprint."""

    type: WasenderWebhookEventType
    timestamp: int | None = None
    data: DT
    session_id: str | None = Field(None, alias="sessionId")
    instance_id: str | None = Field(None, alias="instanceId")
    api_key_id: str | None = Field(None, alias="apiKeyId")

    @property
    def event(self) -> WasenderWebhookEventType:
        return self.type


class MessagesEvent(BaseWebhookEvent[list[MessageEntry]]): ...


class MessagesUpdateEvent(BaseWebhookEvent[list[MessagesUpdateEntry]]): ...


class MessageReceiptUpdateEvent(BaseWebhookEvent[list[MessageReceiptEntry]]): ...


class MessagesReactionEvent(BaseWebhookEvent[list[MessagesReactionEntry]]): ...


class MessagesDeleteEvent(BaseWebhookEvent[list[MessageKey]]): ...


class MessageSentEvent(BaseWebhookEvent[MessageSentData]): ...


class MessageCreatedEvent(BaseWebhookEvent[MessageCreatedData]): ...


class SessionStatusEvent(BaseWebhookEvent[SessionStatusData]): ...


class QrCodeUpdatedEvent(BaseWebhookEvent[QrCodeUpdatedData]): ...


class ChatsEvent(BaseWebhookEvent[list[ChatEntry]]): ...


class ChatsDeleteEvent(BaseWebhookEvent[list[str]]): ...


class GroupsEvent(BaseWebhookEvent[list[GroupMetadata]]): ...


class GroupParticipantsUpdateEvent(BaseWebhookEvent[GroupParticipantsUpdateData]): ...


class ContactsEvent(BaseWebhookEvent[list[ContactEntry]]): ...


class PollResultsEvent(BaseWebhookEvent[PollResultsData]): ...


class CallEvent(BaseWebhookEvent[CallData]): ...


class UnknownWebhookEvent(BaseWebhookEvent[Any]):
    """A new or malformed event. `data` is unchanged."""


WasenderWebhookEvent: TypeAlias = (
    MessagesEvent
    | MessagesUpdateEvent
    | MessageReceiptUpdateEvent
    | MessagesReactionEvent
    | MessagesDeleteEvent
    | MessageSentEvent
    | MessageCreatedEvent
    | SessionStatusEvent
    | QrCodeUpdatedEvent
    | ChatsEvent
    | ChatsDeleteEvent
    | GroupsEvent
    | GroupParticipantsUpdateEvent
    | ContactsEvent
    | PollResultsEvent
    | CallEvent
    | UnknownWebhookEvent
)

_LISTED: Final[dict[str, type[WasenderWebhookEvent]]] = {
    **dict.fromkeys(envelope.MESSAGES, MessagesEvent),
    "messages.update": MessagesUpdateEvent,
    "message-receipt.update": MessageReceiptUpdateEvent,
    "messages.reaction": MessagesReactionEvent,
    "messages.delete": MessagesDeleteEvent,
    "chats.upsert": ChatsEvent,
    "chats.update": ChatsEvent,
    "chats.delete": ChatsDeleteEvent,
    "groups.upsert": GroupsEvent,
    "groups.update": GroupsEvent,
    "contacts.upsert": ContactsEvent,
    "contacts.update": ContactsEvent,
}
"""Events whose `data` is a list, even of one element."""
_SINGLE: Final[dict[str, type[WasenderWebhookEvent]]] = {
    "message.sent": MessageSentEvent,
    "message.created": MessageCreatedEvent,
    "message.updated": MessageCreatedEvent,
    "session.status": SessionStatusEvent,
    "session.qr_code.updated": QrCodeUpdatedEvent,
    "qrcode.updated": QrCodeUpdatedEvent,
    "group-participants.update": GroupParticipantsUpdateEvent,
    "group.participants.update": GroupParticipantsUpdateEvent,
    "poll.results": PollResultsEvent,
    **dict.fromkeys(envelope.CALLS, CallEvent),
}


def read(webhook: dict[str, Any]) -> WasenderWebhookEvent:
    """Return the typed event of a webhook, e.g. of `event.raw`."""
    name = envelope.event_name(webhook) or "unknown"
    items = [part.item for part in envelope.list_parts(webhook)]
    model, data = (_LISTED[name], items) if name in _LISTED else (_SINGLE.get(name), items[0] if items else None)
    shared = {field: value for field, value in webhook.items() if field != "event"}
    if model is not None:
        try:
            return model.model_validate(shared | {"type": name, "data": data})
        except ValidationError:
            pass
    return UnknownWebhookEvent.model_construct(
        type=WasenderWebhookEventType(name), data=webhook.get("data"), timestamp=webhook.get("timestamp")
    )
