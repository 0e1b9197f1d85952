"""What a module for one provider brings: its endpoints, and its webhooks in its own form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Protocol, Self

from aiohttp.web import RouteDef
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.webhooks import IngressClient, Webhook


class UserMessage(BaseModel):
    """What a user writes: the body of `POST /_sandbox/receive`.

    Attributes:
        account: the business's account; None is the provider's first.
        sender: phone number, digits only (field `from`).
        text: one text, or several that arrive in one webhook.
        type: what else it is: image, location, interactive, reaction, …; `content` is what belongs to it, in the Cloud
            API's shape whatever the provider: `{"type": "reaction", "content": {"message_id": …, "emoji": "👍"}}`.
        name: the user's profile name.
        user_id: business-scoped user id, where the user has one.
        id: the message's id, to send one again; None makes a new one.
        repeat: how many times the webhook is posted, as by a provider that saw no answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = "cloud"
    account: str | None = None
    sender: str = Field(alias="from", pattern=r"^\d{5,20}$")
    text: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    type: str = Field("text", pattern=r"^[a-z_]+$")
    content: dict[str, Any] | list[dict[str, Any]] | None = None
    name: str | None = None
    user_id: str | None = None
    id: str | None = Field(None, min_length=1)
    repeat: int = Field(1, ge=1, le=1000)

    @model_validator(mode="after")
    def _holds_one_thing(self) -> Self:
        if (self.text is None) != (self.type != "text") or (self.content is None) != (self.type == "text"):
            raise ValueError("give text, or a type and its content")
        return self

    @property
    def contents(self) -> tuple[Any, ...]:
        """What each message holds in the field that is called like its type."""
        if self.text is None:
            return (self.content,)
        return tuple({"body": text} for text in ((self.text,) if isinstance(self.text, str) else self.text))


class SandboxProvider(Protocol):
    """One provider's side of the sandbox."""

    @property
    def name(self) -> str:
        """Its name in `/_sandbox`, e.g. `cloud`."""

    def routes(self) -> Iterable[RouteDef]:
        """Its endpoints, at their real paths."""

    def message_webhook(self, account: SandboxAccount, message: UserMessage) -> tuple[list[str], Webhook]:
        """The ids of the user's messages, and the webhook that brings them."""

    def status_webhook(self, updates: Sequence[Update]) -> Webhook:
        """The webhook that reports the current step of each update."""

    async def verify(self, account: SandboxAccount, ingress: IngressClient) -> bool:
        """Whether the ingress passes the handshake of a callback URL. Raises `NotSupported` if there is none."""
