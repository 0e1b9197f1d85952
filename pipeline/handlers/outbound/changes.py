"""Sends about other messages: reactions, edits, deletions, forwards, pins; and polls.

Each names the message by the provider's id, or by the `message_id` of an earlier result: the messenger knows the
provider's id of that command.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Unpack

from pipeline.errors import Unsendable
from pipeline.handlers.outbound import checks
from pipeline.handlers.outbound.sender_mixin import Body, SenderMixin, SendOptions
from pipeline.handlers.results import SendResult
from pipeline.handlers.validation import seconds, validate_message_id
from pipeline.topics.commands import CommandKind

PIN_SPAN = 30 * 86_400
"""Maximum time for which a message may be pinned, in seconds."""


class ChangeSender(SenderMixin):
    """Sends that Wappa does not offer. A send that the account's provider does not support is rejected."""

    async def send_reaction(
        self, emoji: str, message_id: str, recipient: str, **options: Unpack[SendOptions]
    ) -> SendResult:
        """React to a message with one emoji; a later reaction replaces an earlier one."""
        return self._send(CommandKind.REACTION, recipient, None, options, reaction_body, emoji, message_id)

    async def remove_reaction(self, message_id: str, recipient: str, **options: Unpack[SendOptions]) -> SendResult:
        """Remove the reaction to a message."""
        return self._send(CommandKind.REACTION, recipient, None, options, about_body, message_id, "emoji", "")

    async def send_poll(
        self,
        question: str,
        choices: Sequence[str],
        recipient: str,
        multiple: bool = False,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a question with 2 to 12 different answers; `multiple` lets users choose several."""
        what = (question, choices, multiple)
        return self._send(CommandKind.POLL, recipient, reply_to_message_id, options, poll_body, *what)

    async def edit_message(
        self, message_id: str, text: str, recipient: str, **options: Unpack[SendOptions]
    ) -> SendResult:
        """Replace the text of a sent message."""
        return self._send(CommandKind.EDIT, recipient, None, options, edit_body, message_id, text)

    async def delete_message(self, message_id: str, recipient: str, **options: Unpack[SendOptions]) -> SendResult:
        """Delete a sent message for everyone."""
        return self._send(CommandKind.REVOKE, recipient, None, options, about_body, message_id)

    async def forward_message(self, message_id: str, recipient: str, **options: Unpack[SendOptions]) -> SendResult:
        """Forward a message of this account to somebody else."""
        return self._send(CommandKind.FORWARD, recipient, None, options, about_body, message_id)

    async def pin_message(
        self,
        message_id: str,
        recipient: str,
        pin_for: float | timedelta | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Pin a message to the top of the chat for `pin_for` seconds (Cloud API: groups only, whole days)."""
        return self._send(CommandKind.PIN, recipient, None, options, pin_body, message_id, pin_for)

    async def unpin_message(self, message_id: str, recipient: str, **options: Unpack[SendOptions]) -> SendResult:
        """Unpin a message."""
        return self._send(CommandKind.PIN, recipient, None, options, about_body, message_id, "on", False)


def about_body(message_id: object, field: str | None = None, value: object = None) -> Body:
    """Return a body that names a message, with one more field if it is given."""
    if wrong := validate_message_id(message_id):
        raise Unsendable(wrong)
    return {"message_id": message_id} | ({field: value} if field else {})


def reaction_body(emoji: object, message_id: object) -> Body:
    """Return the body of a reaction."""
    if checks.text("emoji", emoji, 64).isascii():
        raise Unsendable("a reaction is one emoji, not a text")
    return about_body(message_id, "emoji", emoji)


def edit_body(message_id: object, text: object) -> Body:
    """Return the body of an edit."""
    return about_body(message_id, "text", checks.text("text", text, checks.TEXT))


def pin_body(message_id: object, pin_for: object) -> Body:
    """Return the body of a pin."""
    if pin_for is None:
        return about_body(message_id, "on", True)
    span = seconds(pin_for)
    if not 0 < span <= PIN_SPAN:
        raise Unsendable("pin_for is not between 0 seconds and 30 days")
    return about_body(message_id, "on", True) | {"seconds": int(span)}


def poll_body(question: object, choices: object, multiple: object) -> Body:
    """Return the body of a poll."""
    answers = [checks.text("poll's answer", each, 100) for each in checks.items("answers", choices, 2, 12)]
    checks.unique("answers", answers)
    return {"question": checks.text("poll's question", question, 255), "options": answers, "multiple": bool(multiple)}
