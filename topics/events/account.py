"""An event of the account itself, or beside the messages: the argument of `process_account_event`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from pipeline.topics.events.account_names import AccountNames
from pipeline.topics.events.base import EventBase
from pipeline.topics.events.details import AccountEventDetail, detail_of
from pipeline.topics.events.messages import Message
from pipeline.topics.events.user import User


class AccountEvent(AccountNames, EventBase):
    """Templates, limits, calls, groups, sessions, preferences, echoes: whatever is neither a message to answer nor the
    status of one.

    `event_type` says what it is, by one name for all providers (`pipeline.topics.events.account_types`); it is keyed by
    the person where the part names one, else by the account. `detail` reads `data` through the type's own model:

        match event.detail:
            case TemplateStatus(event="PAUSED", message_template_name=name): ...
            case UserPreference(value="stop"): ...

    A provider fills `field` and `action`, and gives `data` the shape of the type's model
    (`pipeline.topics.events.details`); what the model does not name is kept, and where a type has no model `data` is
    the provider's part as it is. The Cloud API's parts all stay as they are. `raw` is the whole webhook in the
    provider's own form.

    Attributes:
        field: the provider's own name for it: `calls`, `group-participants.update`, `session.status`.
        action: the provider's word for what happened in it: `connect`, `PAUSED`, `stop`, `add`; None where it has none.
        data: the content, JSON.
        message: echoes, history and standby only: the message in the Cloud API's shape, where its type has a model.
        user: the person that it is about, if it is about one.
    """

    webhook_type: ClassVar[str] = "system"

    kind: Literal["account"]
    field: str
    action: str | None = None
    data: dict[str, Any] = Field(repr=False)
    message: Message | None = Field(None, repr=False)
    user: User | None = None

    @property
    def detail(self) -> AccountEventDetail:
        """The `data` as the model of its type, without what does not fit; a bare detail if there is none."""
        return detail_of(self.event_type, self.data)

    def get_summary(self) -> dict[str, Any]:
        """Return the fields that may be logged, as `EventBase.get_summary` does."""
        return super().get_summary() | {"event_type": self.event_type, "field": self.field, "action": self.action}
