"""The interface of a simulated provider: its endpoints, and its webhooks in its own form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Protocol, Self

from aiohttp.web import RouteDef
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.webhooks import IngressClient, SignedWebhook


class UserMessage(BaseModel):
    """A user's message: the body of `POST /_sandbox/receive`.

    Attributes:
        account: the business's account; None is the provider's first.
        sender: phone number, digits only (field `from`).
        text: one text, or several in one webhook.
        type: another type: image, location, interactive, reaction, …; `content` is its object, in the form of the Cloud
            API for every provider: `{"type": "reaction", "content": {"message_id": …, "emoji": "👍"}}`. No message but
            a setting is `{"type": "user_preferences", "content": {"value": "stop"}}`: no marketing messages, until
            `resume`.
        name: the user's profile name.
        user_id: business-scoped user id, if the user has one.
        id: the message's id, to repeat a message; None for a new one.
        repeat: number of times that the webhook is posted, as by a provider that got no response.
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
        if self.type == "user_preferences" and self.preference is None:
            raise ValueError("the content of user_preferences is {'value': 'stop'} or {'value': 'resume'}")
        return self

    @property
    def preference(self) -> str | None:
        """`stop` or `resume` if this is the user's setting for marketing messages, else None."""
        value = self.content.get("value") if self.type == "user_preferences" and type(self.content) is dict else None
        return value if value in ("stop", "resume") else None

    @property
    def contents(self) -> tuple[Any, ...]:
        """The content of each message, in the field named after its type."""
        if self.text is None:
            return (self.content,)
        return tuple({"body": text} for text in ((self.text,) if isinstance(self.text, str) else self.text))


class SandboxProvider(Protocol):
    """One provider's side of the sandbox."""

    @property
    def name(self) -> str:
        """Its name in `/_sandbox`, e.g. `cloud`."""

    def routes(self) -> Iterable[RouteDef]:
        """Return its endpoints, at their real paths."""

    def message_webhook(self, account: SandboxAccount, message: UserMessage) -> tuple[list[str], SignedWebhook]:
        """Return the ids of the user's messages, and the webhook that contains them."""

    def status_webhook(self, updates: Sequence[Update]) -> SignedWebhook:
        """Return the webhook that reports the current step of each update."""

    def stored(self, account: SandboxAccount, media_id: str) -> tuple[bytes, str] | None:
        """Return the content and the type of an account's uploaded file; None if there is none."""

    async def verify(self, account: SandboxAccount, ingress: IngressClient) -> bool:
        """Return True if the ingress passes the handshake of a callback URL. Raise `NotSupported` if there is none."""
