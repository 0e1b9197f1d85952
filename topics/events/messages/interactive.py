"""Choices of users: buttons, rows of lists, flows and forms, call permissions."""

from __future__ import annotations

import re
from typing import Any, Literal

import orjson
from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Flag, Seconds
from pipeline.topics.events.names import InteractiveType
from pipeline.unicode import loads


class ButtonReply(EventModel):
    """The button that the user tapped."""

    id: str
    title: str = Field("", repr=False)


class ListReply(EventModel):
    """`description` is missing where the row has none."""

    id: str
    title: str = Field("", repr=False)
    description: str | None = Field(None, repr=False)


class FlowReply(EventModel):
    """A flow that was finished, or a form that was filled in.

    Attributes:
        name: `flow` or `address_message`.
        response_json: JSON in a string: the answers, and the `flow_token` that was sent.
    """

    name: str | None = None
    body: str | None = Field(None, repr=False)
    response_json: str | None = Field(None, repr=False)

    @property
    def response(self) -> dict[str, Any]:
        """The answers; empty where they are no JSON object."""
        try:
            found = loads(self.response_json or "")
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def flow_token(self) -> str | None:
        """The token that the flow was sent with, if it is a string."""
        token = self.response.get("flow_token")
        return token if isinstance(token, str) else None


class CallPermissionReply(EventModel):
    """`response` is `accept` or `reject`; the permission ends at `expiration_timestamp` (unix seconds)."""

    response: str
    expiration_timestamp: Seconds | None = None
    response_source: str | None = None


class InteractiveContent(EventModel):
    """The user's answer, in the field that has the name of `type`. Other types keep theirs in `model_extra`."""

    type: str
    button_reply: ButtonReply | None = None
    list_reply: ListReply | None = None
    nfm_reply: FlowReply | None = None
    call_permission_reply: CallPermissionReply | None = None


class InteractiveMessage(MessageBase):
    """A choice of the user.

    A provider fills `interactive` with the `type` and its reply, and `context.id` with the message that was answered.
    The Cloud API has sent messages without `interactive`, with an error beside them: the selection is None then.
    """

    type: Literal["interactive"]
    interactive: InteractiveContent | None = None

    @property
    def interactive_type(self) -> InteractiveType | None:
        """The kind of reply; None for an odd shape."""
        return InteractiveType(self.interactive.type) if self.interactive and self.interactive.type else None

    @property
    def selected_option_id(self) -> str:
        """The id of the button or row; empty for anything else."""
        return self._selected.id if self._selected else ""

    @property
    def selected_option_title(self) -> str:
        """The title of the chosen option; empty if there is none."""
        return self._selected.title if self._selected else ""

    @property
    def is_button_reply(self) -> Flag:
        """True for a tap on a reply button."""
        return Flag(self.interactive_type == "button_reply")

    @property
    def is_list_reply(self) -> Flag:
        """True for a row of a list."""
        return Flag(self.interactive_type == "list_reply")

    @property
    def is_call_permission_reply(self) -> Flag:
        """True for the answer to a request to call."""
        return Flag(self.interactive_type == "call_permission_reply")

    @property
    def is_flow_reply(self) -> Flag:
        """True for a form that was filled in."""
        return Flag(self.interactive_type == "nfm_reply")

    @property
    def flow_response(self) -> dict[str, Any]:
        """The answers of a flow or form; empty for anything else."""
        reply = self.interactive.nfm_reply if self.interactive else None
        return reply.response if reply else {}

    def get_button_data(self) -> dict[str, Any] | None:
        """Return the tapped button as a dict; None for other replies."""
        reply = self.interactive.button_reply if self.interactive else None
        return reply.model_dump(exclude_unset=True) if reply else None

    def get_list_data(self) -> dict[str, Any] | None:
        """Return the chosen row as a dict; None for other replies."""
        reply = self.interactive.list_reply if self.interactive else None
        return reply.model_dump(exclude_unset=True) if reply else None

    def get_selected_option_id(self) -> str:
        """Return the id of the chosen option; empty if there is none."""
        return self.selected_option_id

    def get_selected_option_title(self) -> str:
        """Return the title of the chosen option; empty if there is none."""
        return self.selected_option_title

    def matches_option_pattern(self, pattern: str) -> bool:
        """Return True if the regular expression matches at the beginning of the selected id."""
        return bool(self._selected) and re.match(pattern, self.selected_option_id) is not None

    def get_option_category(self, delimiter: str = "_") -> str | None:
        """`product` of `product_123`; None where the id has no such part."""
        category, found, _ = self.selected_option_id.partition(delimiter)
        return category if found else None

    @property
    def _selected(self) -> ButtonReply | ListReply | None:
        return (self.interactive.button_reply or self.interactive.list_reply) if self.interactive else None
