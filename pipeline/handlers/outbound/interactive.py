"""Interactive sends: buttons, lists, links, and requests that the user answers with one tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from pipeline.errors import Unsendable
from pipeline.handlers.outbound import checks
from pipeline.handlers.outbound.headers import Header, header_of, text_header
from pipeline.handlers.outbound.models import ListRow, ListSection, ReplyButton
from pipeline.handlers.outbound.sender_mixin import Body, SenderMixin, SendOptions
from pipeline.handlers.results import SendResult
from pipeline.topics.commands import CommandKind

Buttons = Sequence[ReplyButton | Mapping[str, Any]]
Sections = Sequence[ListSection | Mapping[str, Any]]

ROWS = 10
"""Maximum number of rows of a list, over all of its sections."""


class InteractiveSender(SenderMixin):
    """Sends messages with something to tap. The user's choice comes back as an interactive message."""

    async def send_button_message(
        self,
        buttons: Buttons,
        recipient: str,
        body: str,
        header: Header = None,
        footer: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send 1 to 3 reply buttons under a body of up to 1,024 characters. The header may be text or a medium."""
        what = (buttons, body, header, footer)
        return self._send(CommandKind.BUTTONS, recipient, reply_to_message_id, options, buttons_body, *what)

    async def send_list_message(
        self,
        sections: Sections,
        recipient: str,
        body: str,
        button_text: str,
        header: Header = None,
        footer: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a list of 1 to 10 rows in sections, behind a button. The body has up to 4,096 characters."""
        what = (sections, body, button_text, header, footer)
        return self._send(CommandKind.LIST, recipient, reply_to_message_id, options, list_body, *what)

    async def send_cta_message(
        self,
        button_text: str,
        button_url: str,
        recipient: str,
        body: str,
        header: Header = None,
        footer: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a button (up to 20 characters) that opens a URL."""
        what = (button_text, button_url, body, header, footer)
        return self._send(CommandKind.CTA, recipient, reply_to_message_id, options, cta_body, *what)

    async def send_location_request(
        self, body: str, recipient: str, reply_to_message_id: str | None = None, **options: Unpack[SendOptions]
    ) -> SendResult:
        """Ask for the user's location."""
        return self._send(CommandKind.LOCATION_REQUEST, recipient, reply_to_message_id, options, request_body, body)

    async def send_contact_request(
        self, body: str, recipient: str, reply_to_message_id: str | None = None, **options: Unpack[SendOptions]
    ) -> SendResult:
        """Ask a user whose phone number is hidden to share it."""
        return self._send(CommandKind.CONTACT_REQUEST, recipient, reply_to_message_id, options, request_body, body)


def request_body(body: object) -> Body:
    """Return the body of a request."""
    return {"text": checks.body_text(body)}


def framed(body: object, header: object, footer: object, most: int = checks.BODY, **content: object) -> Body:
    """Return a body with its text, and with header and footer if given."""
    foot = checks.optional("footer", footer, checks.SHORT, "FOOTER_TOO_LONG")
    return checks.given(text=checks.body_text(body, most), header=header_of(header), footer=foot, **content)


def buttons_body(buttons: object, body: object, header: object, footer: object) -> Body:
    """Return the body of reply buttons."""
    return framed(body, header, footer, buttons=reply_buttons("buttons", buttons))


def reply_buttons(what: str, buttons: object) -> list[Body]:
    """Return 1 to 3 buttons, with different ids and titles."""
    made = [button(each) for each in checks.items(what, buttons, 1, 3)]
    checks.unique("button ids", (each["id"] for each in made))
    checks.unique("button titles", (each["title"] for each in made))
    return made


def button(value: object) -> Body:
    """Return one reply button."""
    given = checks.model(ReplyButton, value)
    return {
        "id": checks.text("button's id", given.id, 256, "BUTTON_ID_TOO_LONG"),
        "title": checks.text("button's title", given.title, checks.BUTTON, "BUTTON_TITLE_TOO_LONG"),
    }


def list_body(sections: object, body: object, button_text: object, header: object, footer: object) -> Body:
    """Return the body of a list."""
    several = checks.items("sections", sections, 1, 10, "TOO_MANY_SECTIONS")
    made = [section(each, titled=len(several) > 1) for each in several]
    rows = [row["id"] for each in made for row in each["rows"]]
    if len(rows) > ROWS:
        raise Unsendable(f"there are {len(rows)} rows: WhatsApp takes {ROWS} over all sections", "TOO_MANY_ROWS")
    checks.unique("row ids", rows, "DUPLICATE_ROW_ID")
    title = checks.text("list's button", button_text, checks.BUTTON, "BUTTON_TEXT_TOO_LONG")
    return framed(body, text_header(header), footer, checks.TEXT, button=title, sections=made)


def section(value: object, titled: bool) -> Body:
    """Return one section of a list."""
    given = checks.model(ListSection, value)
    rows = [row(each) for each in checks.items("rows", given.rows, 1, ROWS, "TOO_MANY_ROWS")]
    title = checks.optional("section's title", given.title, 24, "SECTION_TITLE_TOO_LONG")
    if titled and title is None:
        raise Unsendable("a section has no title: with more than one section each needs one")
    return checks.given(title=title, rows=rows)


def row(given: ListRow) -> Body:
    """Return one row of a list."""
    return checks.given(
        id=checks.text("row's id", given.id, 200, "ROW_ID_TOO_LONG"),
        title=checks.text("row's title", given.title, 24, "ROW_TITLE_TOO_LONG"),
        description=checks.optional("row's description", given.description, 72, "ROW_DESCRIPTION_TOO_LONG"),
    )


def cta_body(button_text: object, button_url: object, body: object, header: object, footer: object) -> Body:
    """Return the body of a button that opens a URL."""
    missing = "MISSING_REQUIRED_PARAMS"
    if not (button_text and button_url and body):
        raise Unsendable("body, button_text and button_url are all needed", missing)
    title = checks.text("button's text", button_text, checks.BUTTON, "BUTTON_TEXT_TOO_LONG", missing=missing)
    return framed(body, header, footer, button=title, url=checks.url(button_url))
