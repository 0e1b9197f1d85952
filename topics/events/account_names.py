"""The names by which handlers written for Wappa read account events: its system and call webhooks."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.events.details.calls import Call
from pipeline.topics.events.model import EventModel

if TYPE_CHECKING:
    from pipeline.topics.events.details import AccountEventDetail
    from pipeline.topics.events.user import User


class SystemEventType(StrEnum):
    """Wappa's names of the account events that it knows."""

    NUMBER_CHANGE = "number_change"
    USER_ID_CHANGE = "user_id_change"
    MARKETING_PREFERENCE = "marketing_preference"
    ACCOUNT_OFFBOARDED = "account_offboarded"
    ACCOUNT_RECONNECTED = "account_reconnected"
    BUSINESS_USERNAME_UPDATE = "business_username_update"
    GROUP_PARTICIPANTS_UPDATE = "group_participants_update"
    HISTORY_SYNC = "history_sync"
    SMB_MESSAGE_ECHO = "smb_message_echo"
    SMB_APP_STATE_SYNC = "smb_app_state_sync"
    USER_ACTION = "user_action"


_SYSTEM: Final = MappingProxyType(
    {
        AccountEventType.USER_ID: SystemEventType.USER_ID_CHANGE,
        AccountEventType.USER_PREFERENCE: SystemEventType.MARKETING_PREFERENCE,
        AccountEventType.ACCOUNT_OFFBOARDED: SystemEventType.ACCOUNT_OFFBOARDED,
        AccountEventType.ACCOUNT_RECONNECTED: SystemEventType.ACCOUNT_RECONNECTED,
        AccountEventType.ACCOUNT_USERNAME: SystemEventType.BUSINESS_USERNAME_UPDATE,
        AccountEventType.GROUP_PARTICIPANTS: SystemEventType.GROUP_PARTICIPANTS_UPDATE,
        AccountEventType.HISTORY: SystemEventType.HISTORY_SYNC,
        AccountEventType.HISTORY_MESSAGE: SystemEventType.HISTORY_SYNC,
        AccountEventType.ECHO: SystemEventType.SMB_MESSAGE_ECHO,
        AccountEventType.CONTACT: SystemEventType.SMB_APP_STATE_SYNC,
        AccountEventType.USER_ACTION: SystemEventType.USER_ACTION,
    }
)
_COEXISTENCE: Final = frozenset(
    {AccountEventType.HISTORY, AccountEventType.HISTORY_MESSAGE, AccountEventType.ECHO, AccountEventType.CONTACT}
)


class SystemEventDetail(EventModel):
    """Wappa's one object for all of them: what the event does not say is None."""

    wa_id: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None
    previous_user_id: str | None = None
    current_user_id: str | None = None
    previous_parent_user_id: str | None = None
    current_parent_user_id: str | None = None
    old_phone_number: str | None = None
    new_phone_number: str | None = None
    body: str | None = None
    detail: str | None = None
    category: str | None = None
    preference_value: str | None = None
    waba_id: str | None = None
    phone_number_id: str | None = None
    reason: str | None = None
    username: str | None = None
    username_status: str | None = None
    display_phone_number: str | None = None
    group_id: str | None = None
    group_event_type: str | None = None
    group_update: dict[str, Any] | None = None
    coexistence_payload: dict[str, Any] | None = None
    action_type: str | None = None
    user_action: dict[str, Any] | None = None


_SAME: Final = frozenset(
    {
        "wa_id",
        "user_id",
        "parent_user_id",
        "detail",
        "category",
        "waba_id",
        "phone_number_id",
        "reason",
        "username",
        "display_phone_number",
        "group_id",
        "action_type",
    }
)


class AccountNames:
    """Read-only names for `AccountEvent`'s own fields; those of calls are None for other events."""

    if TYPE_CHECKING:
        event_type: str
        action: str | None
        data: dict[str, Any]
        user: User | None

        @property
        def detail(self) -> AccountEventDetail:
            """The `data` as the model of its type."""

    @property
    def system_event_type(self) -> SystemEventType | None:
        """Wappa's name for `event_type`; None if Wappa has none."""
        return _SYSTEM.get(AccountEventType(self.event_type))

    @property
    def event_detail(self) -> SystemEventDetail:
        """Wappa's `event_detail`: the fields that belong to the type of event."""
        return SystemEventDetail(**{name: text for name, text in self._told().items() if text is not None})

    @property
    def is_number_change(self) -> bool:
        """False: a change of number is a system message (`SystemMessage.is_number_change`)."""
        return self.system_event_type is SystemEventType.NUMBER_CHANGE

    @property
    def is_user_id_change(self) -> bool:
        """True if a user's id has changed."""
        return self.system_event_type is SystemEventType.USER_ID_CHANGE

    @property
    def is_marketing_preference(self) -> bool:
        """True if a user stopped or resumed marketing messages."""
        return self.system_event_type is SystemEventType.MARKETING_PREFERENCE

    @property
    def is_call(self) -> bool:
        """True for calls and their statuses."""
        return self.event_type in (AccountEventType.CALL, AccountEventType.CALL_STATUS)

    @property
    def call_id(self) -> str | None:
        """The id of the call; None for other events."""
        return self._of_call("id")

    @property
    def event(self) -> str | None:
        """The change in a call: `connect`, `terminate`, …"""
        return self.action

    @property
    def direction(self) -> str | None:
        """The direction of the call; None for other events."""
        return self._of_call("direction")

    @property
    def status(self) -> str | None:
        """The status of the call; None for other events."""
        return self._of_call("status")

    @property
    def duration(self) -> float | None:
        """The duration of the call, in seconds; None for other events."""
        return self.detail.duration if isinstance(self.detail, Call) else None

    @property
    def session(self) -> dict[str, Any] | None:
        """The session (SDP) of the call; None for other events."""
        return self.detail.session if isinstance(self.detail, Call) else None

    @property
    def business_opaque_data(self) -> str | None:
        """The data that was attached to the call; None for other events."""
        return self._of_call("biz_opaque_callback_data")

    @property
    def raw_call(self) -> dict[str, Any] | None:
        """The call as the provider wrote it; None for other events."""
        return self.data if self.is_call else None

    @property
    def user_id(self) -> str:
        """The id of the person that the event is about; empty if it is about nobody."""
        return self.user.user_id if self.user else ""

    @property
    def phone_number(self) -> str | None:
        """The phone number of that person; None if it is hidden."""
        return self.user.wa_id if self.user else None

    @property
    def bsuid(self) -> str | None:
        """The business-scoped user id of that person, if there is one."""
        return self.user.bsuid if self.user else None

    @property
    def parent_bsuid(self) -> str | None:
        """The parent business-scoped user id of that person, if there is one."""
        return self.user.parent_bsuid if self.user else None

    def _of_call(self, name: str) -> str | None:
        return _text(self.data.get(name)) if self.is_call else None

    def _told(self) -> dict[str, Any]:
        data, kind = self.data, self.event_type
        told: dict[str, Any] = {name: _text(data.get(name)) for name in _SAME}
        told |= {f"{when}_user_id": _within(data.get("user_id"), when) for when in ("previous", "current")}
        told |= {
            f"{when}_parent_user_id": _within(data.get("parent_user_id"), when) for when in ("previous", "current")
        }
        told |= {"body": _text(data.get("detail"))}
        if kind == AccountEventType.USER_PREFERENCE:
            told["preference_value"] = _text(data.get("value"))
        elif kind == AccountEventType.ACCOUNT_USERNAME:
            told["username_status"] = _text(data.get("status"))
        elif kind == AccountEventType.USER_ACTION:
            told["user_action"] = data
        elif kind.startswith(AccountEventType.GROUP):
            told |= {"group_event_type": self.action, "group_update": data}
        elif kind in _COEXISTENCE:
            told["coexistence_payload"] = data
        return told


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else str(value) if type(value) is int else None


def _within(value: object, name: str) -> str | None:
    return _text(value.get(name)) if isinstance(value, dict) else None
