"""A send that another system requested over HTTP (`POST /api/whatsapp/…`)."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from pipeline.topics.events.base import EventBase
from pipeline.topics.uploads import StoredUpload

READ: Final = "read_receipt"
"""The `message_type` of read marks."""


class APIMessageEvent(EventBase):
    """A send by the HTTP API: the argument of `process_api_message`, with the fields of Wappa's event of this name.

    It is carried out in the same unit of work, before the hook: what the hook sees is queued. What the provider said
    comes with the statuses, by `message_id`, and is on `commands.outcomes`.

    Attributes:
        path: which send, e.g. `messages/send-text`.
        message_type: what it sends, by Wappa's label: `text`, `image`, `button`, `template`, `read_receipt`, …
        message_id: the id of its command, which the caller was answered.
        request_payload: the JSON body as the caller gave it; of a form, its fields without the file.
        upload: the file of a form.
    """

    webhook_type: ClassVar[str] = "api_message"

    kind: Literal["api"]
    path: str
    message_type: str
    message_id: str
    request_payload: dict[str, Any] = Field(default_factory=dict, repr=False)
    upload: StoredUpload | None = Field(default=None, repr=False)

    @property
    def recipient(self) -> str:
        """The recipient's id, as this person's messages name it; empty for a read mark that names nobody."""
        return self.contact or ""

    @property
    def user_id(self) -> str:
        """The user whose caches the hook uses: the `user_id` that the caller gave, else the recipient."""
        given = self.request_payload.get("user_id")
        return given if isinstance(given, str) and given else self.recipient

    @property
    def inbox_id(self) -> str:
        """The account that sends it."""
        return self.account

    @property
    def response_success(self) -> Literal[True]:
        """True: the send is queued. A send that could not be queued was answered 422 and is no event."""
        return True

    @property
    def response_error(self) -> None:
        """None, with every event."""

    @property
    def meta_response(self) -> None:
        """None: the provider has not been asked yet."""

    def get_summary(self) -> dict[str, Any]:
        """Return the fields that may be logged, as `EventBase.get_summary` does."""
        return super().get_summary() | {"message_type": self.message_type, "message_id": self.message_id}
