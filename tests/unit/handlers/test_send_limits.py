"""What can't be sent is refused when the handler asks, with Wappa's codes, and nothing raises."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.handlers import (
    CarouselCard,
    ContactCard,
    HeaderType,
    IMessenger,
    InteractiveHeader,
    ListRow,
    ListSection,
    ReplyButton,
)
from pipeline.handlers.messenger import Messenger
from pipeline.providers.cloud.bodies import KINDS
from pipeline.topics.commands import CommandKind, Priority
from tests.support.handler_events import USER
from tests.support.messengers import call

YES = {"id": "yes", "title": "Yes"}
ROW = {"id": "r", "title": "Row"}
LINK = "https://files.example/a.jpg"
CARD = {"header": {"type": "image", "image": {"link": LINK}}, "buttons": [YES]}
CODE = [{"type": "text", "text": "123456"}]


def rows(count: int) -> list[dict[str, str]]:
    return [{"id": f"r{n}", "title": "Row"} for n in range(count)]


def buttons(**changes: Any) -> tuple[str, dict[str, Any]]:
    return "send_button_message", {"buttons": [YES], "body": "Well?", **changes}


def listed(**changes: Any) -> tuple[str, dict[str, Any]]:
    return "send_list_message", {"sections": [{"rows": [ROW]}], "body": "Which?", "button_text": "Options", **changes}


def cta(**changes: Any) -> tuple[str, dict[str, Any]]:
    given = {"button_text": "Go", "button_url": "https://example.com", "body": "See"}
    return "send_cta_message", given | changes


def template(**changes: Any) -> tuple[str, dict[str, Any]]:
    return "send_text_template", {"template_name": "hello", "language_code": "en", **changes}


def media_template(**changes: Any) -> tuple[str, dict[str, Any]]:
    named = {"template_name": "hello", "language_code": "en"}
    return "send_media_template", {**named, "media_type": "image", "media_id": "1", **changes}


def carousel(*cards: Any) -> tuple[str, dict[str, Any]]:
    return "send_carousel", {"body": "New", "cards": list(cards)}


def location(latitude: Any, longitude: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    return "send_location", {"latitude": latitude, "longitude": longitude, **more}


def generic(*components: Any) -> tuple[str, dict[str, Any]]:
    return "send_template", {"template_name": "hello", "language_code": "en", "components": list(components)}


BROKEN = ["two\nlines", "two\r\nlines", "a\ttab", "five     spaces"]
"""Texts that no variable of a template may have."""


def components(text: str) -> list[dict[str, Any]]:
    """Every place of a template in which a text may stand."""
    made = [{"type": kind, "parameters": [{"type": "text", "text": text}]} for kind in ("header", "body", "button")]
    return [*made, {"type": "carousel", "cards": [{"card_index": 0, "components": [made[1]]}]}]


NOBODY = [
    "",
    " ",
    "\t",
    "\u200e",
    "abc",
    "call me",
    "1234",
    "+",
    "1" * 18,
    "15550001111, 15550002222",
    "a@b c",
    "@c.us",
]
"""What is no recipient at any provider."""

REFUSED: list[tuple[tuple[str, dict[str, Any]], str]] = [
    (buttons(buttons=[]), "VALIDATION"),
    (buttons(buttons=[{"id": str(n), "title": "x"} for n in range(4)]), "VALIDATION"),
    (buttons(buttons=[YES, YES]), "VALIDATION"),
    (buttons(buttons=[{"id": "a", "title": "x" * 21}]), "BUTTON_TITLE_TOO_LONG"),
    (buttons(buttons=[{"id": "x" * 257, "title": "a"}]), "BUTTON_ID_TOO_LONG"),
    (buttons(buttons=[YES, {"id": "no", "title": "Yes"}]), "VALIDATION"),
    (buttons(buttons="yes"), "VALIDATION"),
    (buttons(buttons=[5]), "VALIDATION"),
    (buttons(body="x" * 1025), "BODY_TOO_LONG"),
    (buttons(body=""), "INVALID_BODY"),
    (buttons(footer="x" * 61), "FOOTER_TOO_LONG"),
    (buttons(header="x" * 61), "HEADER_TOO_LONG"),
    (buttons(header={"type": "text"}), "INVALID_TEXT_HEADER"),
    (buttons(header={"type": "image"}), "INVALID_MEDIA_HEADER"),
    (buttons(header={"type": "image", "image": {"url": LINK}}), "INVALID_MEDIA_HEADER"),
    (buttons(header={"type": "image", "image": {"link": "file:///etc/passwd"}}), "INVALID_URL_FORMAT"),
    (buttons(header={"type": "image", "media": {"link": "http://"}}), "INVALID_URL_FORMAT"),
    (buttons(header={"type": "audio"}), "INVALID_HEADER_TYPE"),
    (buttons(header={"type": ["text"]}), "INVALID_HEADER_TYPE"),
    (listed(body="x" * 4097), "BODY_TOO_LONG"),
    (listed(button_text="x" * 21), "BUTTON_TEXT_TOO_LONG"),
    (listed(sections=[]), "TOO_MANY_SECTIONS"),
    (listed(sections=[{"title": str(n), "rows": rows(1)} for n in range(11)]), "TOO_MANY_SECTIONS"),
    (listed(sections=[{"rows": rows(11)}]), "TOO_MANY_ROWS"),
    (listed(sections=[{"title": t, "rows": rows(6)} for t in "ab"]), "TOO_MANY_ROWS"),
    (listed(sections=[{"title": "x" * 25, "rows": rows(1)}]), "SECTION_TITLE_TOO_LONG"),
    (listed(sections=[{"rows": [ROW]}, {"title": "b", "rows": [ROW]}]), "VALIDATION"),
    (listed(sections=[{"rows": [{"id": "x" * 201, "title": "a"}]}]), "ROW_ID_TOO_LONG"),
    (listed(sections=[{"rows": [{"id": "a", "title": "x" * 25}]}]), "ROW_TITLE_TOO_LONG"),
    (listed(sections=[{"rows": [{**ROW, "description": "x" * 73}]}]), "ROW_DESCRIPTION_TOO_LONG"),
    (listed(sections=[{"rows": [ROW, ROW]}]), "DUPLICATE_ROW_ID"),
    (listed(sections=[{"title": t, "rows": [ROW]} for t in "ab"]), "DUPLICATE_ROW_ID"),
    (listed(header={"type": "image", "image": {"link": LINK}}), "INVALID_HEADER_TYPE"),
    (cta(button_url="example.com"), "INVALID_URL_FORMAT"),
    (cta(button_url="https://"), "INVALID_URL_FORMAT"),
    (cta(button_url="https://exam\nple.com"), "INVALID_URL_FORMAT"),
    (cta(button_url="https://[::1"), "INVALID_URL_FORMAT"),
    (cta(button_url="javascript:alert(1)"), "INVALID_URL_FORMAT"),
    (cta(button_url=""), "MISSING_REQUIRED_PARAMS"),
    (cta(button_text=None), "MISSING_REQUIRED_PARAMS"),
    (cta(button_text="x" * 21), "BUTTON_TEXT_TOO_LONG"),
    (("send_image", {"image_source": LINK, "caption": "x" * 1025}), "VALIDATION"),
    (("send_image", {"image_source": "no/such/file.jpg"}), "FILE_NOT_FOUND"),
    (("send_image", {"image_source": b"GIF89a"}), "MIME_TYPE_UNKNOWN"),
    (("send_image", {"image_source": b"%PDF-1.7"}), "MIME_TYPE_UNSUPPORTED"),
    (("send_image", {"image_source": b"\xff\xd8\xff" + bytes(5 * 1024 * 1024)}), "FILE_SIZE_EXCEEDED"),
    (("send_sticker", {"sticker_source": b"RIFF....WEBPVP8 " + bytes(100 * 1024)}), "FILE_SIZE_EXCEEDED"),
    (("send_image", {"image_source": {"id": "1", "link": LINK}}), "NO_MEDIA_ID"),
    (("send_image", {"image_source": {"link": "ftp://files.example/a.jpg"}}), "INVALID_URL_FORMAT"),
    (("send_image", {"image_source": 5}), "NO_MEDIA_ID"),
    (("send_image", {"image_source": "bad\0path.jpg"}), "FILE_NOT_FOUND"),
    (location(91, 0), "INVALID_BODY"),
    (location(0, -181), "INVALID_BODY"),
    (location(float("nan"), 0), "INVALID_BODY"),
    (location("north", 0), "INVALID_BODY"),
    (location(0, 0, name="x" * 101), "INVALID_BODY"),
    (location(0, 0, address="x" * 1001), "INVALID_BODY"),
    (("send_location_request", {"body": ""}), "INVALID_BODY"),
    (("send_location_request", {"body": "x" * 1025}), "BODY_TOO_LONG"),
    (("send_contact", {"contact": {"name": {"formatted_name": "Bo"}}}), "INVALID_CONTACT_FORMAT"),
    (("send_contact", {"contact": {"phones": [{"phone": "1"}]}}), "INVALID_CONTACT_FORMAT"),
    (("send_contact", {"contact": None}), "INVALID_CONTACT_FORMAT"),
    (
        ("send_contact", {"contact": {"name": {"formatted_name": "Bo"}, "phones": [{"phone": "1"}]}}),
        "INVALID_CONTACT_FORMAT",
    ),
    (template(template_name="x" * 513), "VALIDATION"),
    (template(language_code="e"), "VALIDATION"),
    (template(language_code=None), "VALIDATION"),
    (template(body_parameters=["Ana", 17]), "VALIDATION"),
    (template(body_parameters="Ana"), "VALIDATION"),
    *((template(body_parameters=[text]), "VALIDATION") for text in ("", "x" * 1025, *BROKEN)),
    (template(body_parameters=CODE * 11), "VALIDATION"),
    (template(body_parameters=[{"type": "text", "text": "x" * 1025}]), "VALIDATION"),
    (template(body_parameters=[{"type": "currency"}]), "VALIDATION"),
    *((template(body_parameters=[{"type": "text", "text": text}]), "VALIDATION") for text in BROKEN),
    *((generic(component), "VALIDATION") for text in BROKEN for component in components(text)),
    (generic({"type": "body", "parameters": [{"type": "text"}]}), "VALIDATION"),
    (generic({"type": "body", "parameters": "Ana"}), "VALIDATION"),
    (
        generic({"type": "header", "parameters": [{"type": "image", "image": {"link": "file:///a"}}]}),
        "INVALID_URL_FORMAT",
    ),
    (media_template(media_id=None, media_url="file:///a"), "INVALID_URL_FORMAT"),
    (template(template_type="newsletter"), "INVALID_TEMPLATE_TYPE"),
    (template(template_type=["utility"]), "INVALID_TEMPLATE_TYPE"),
    (template(template_type="utility", authentication_method="copy_code"), "INVALID_TEMPLATE_TYPE"),
    (template(template_type="authentication", body_parameters=CODE), "INVALID_TEMPLATE_TYPE"),
    (
        template(
            template_type="authentication",
            body_parameters=CODE,
            authentication_method="copy_code",
            authentication_button_index=10,
        ),
        "VALIDATION",
    ),
    (template(template_type="authentication", authentication_method="one_tap"), "VALIDATION"),
    (media_template(media_type="audio"), "INVALID_MEDIA_TYPE"),
    (media_template(media_url=LINK), "NO_MEDIA_ID"),
    (carousel(CARD), "VALIDATION"),
    (carousel(CARD, {**CARD, "buttons": [YES, YES]}), "VALIDATION"),
    (carousel(CARD, {**CARD, "body": "a\nb\nc\nd"}), "BODY_TOO_LONG"),
    (carousel(CARD, {**CARD, "header": {"type": "text", "text": "a"}}), "INVALID_HEADER_TYPE"),
    (carousel(CARD, {**CARD, "buttons": [YES, {"id": "no", "title": "Yes"}]}), "VALIDATION"),
    (("send_flow", {"flow": {}, "body": "Sign up", "button_text": "Go"}), "VALIDATION"),
    (("send_flow", {"flow": {"flow_id": "1", "mode": "test"}, "body": "a", "button_text": "Go"}), "VALIDATION"),
    (("send_address_request", {"body": "Where?", "country": "India"}), "VALIDATION"),
    (("send_call_button", {"body": "Call", "ttl_minutes": 43_201}), "VALIDATION"),
    (("send_poll", {"question": "Well?", "choices": ["one"]}), "VALIDATION"),
    (("send_reaction", {"emoji": "", "message_id": "wamid.1"}), "VALIDATION"),
    (("send_reaction", {"emoji": "ok", "message_id": "wamid.1"}), "VALIDATION"),
    (("send_reaction", {"emoji": "\N{THUMBS UP SIGN}", "message_id": ".."}), "VALIDATION"),
    *((("send_text", {"text": "hi", "recipient": to}), "VALIDATION") for to in NOBODY),
    (("send_image", {"image_source": LINK, "recipient": "abc"}), "VALIDATION"),
    (template(recipient="abc"), "VALIDATION"),
    (("pin_message", {"message_id": "wamid.1", "pin_for": timedelta(days=31)}), "VALIDATION"),
]


@pytest.mark.parametrize(("asked", "code"), REFUSED)
def test_what_whatsapp_would_refuse_is_a_result(asked: tuple[str, dict[str, Any]], code: str) -> None:
    """A handler would hear of its mistake from a failed outcome, an hour later, or end in an exception."""
    method, arguments = asked
    result, commands = call(method, {"recipient": USER, **arguments})
    assert commands == []
    assert (result.success, result.queued, result.message_id) == (False, False, None)
    assert result.error_code == code
    assert result.error and "xxx" not in result.error and "\n" not in result.error


TAKEN = [
    buttons(buttons=[{"id": "x" * 256, "title": "x" * 20}], body="x" * 1024, footer="x" * 60, header="x" * 60),
    listed(sections=[{"title": "x" * 24, "rows": rows(10)}], body="x" * 4096, button_text="x" * 20),
    cta(button_text="x" * 20),
    cta(button_url="HTTPS://EXAMPLE.COM/a?b=c d"),
    buttons(header={"type": "image", "image": {"link": "HTTP://files.example/a.jpg"}}),
    buttons(buttons=[YES, {"id": "no", "title": "yes"}]),
    template(body_parameters=[{"type": "text", "text": "four    spaces"}]),
    generic(
        {"type": "button", "sub_type": "quick_reply", "index": 1, "parameters": [{"type": "payload", "payload": "a"}]}
    ),
    generic({"type": "header", "parameters": [{"type": "image", "image": {"id": "1"}}]}),
    ("send_flow", {"flow": {"flow_id": "1", "mode": "draft"}, "body": "a", "button_text": "Go"}),
    ("send_image", {"image_source": "HTTPS://files.example/a.jpg"}),
    location(-90, 180, name="x" * 100, address="x" * 1000),
    ("send_image", {"image_source": LINK, "caption": "x" * 1024}),
    template(body_parameters=CODE * 10, template_type="utility"),
    carousel(*[CARD] * 10),
]


@pytest.mark.parametrize("asked", TAKEN)
def test_what_is_just_within_the_limits_is_sent(asked: tuple[str, dict[str, Any]]) -> None:
    """A limit that is off by one would refuse what WhatsApp takes."""
    result, commands = call(asked[0], {"recipient": USER, **asked[1]})
    assert result.success, result.error
    assert len(commands) == 1


@pytest.mark.parametrize(
    "recipient",
    [
        *("15550001111", "+1 555 000-1111", "(555) 000.1111", "+1\N{NO-BREAK SPACE}555\N{NON-BREAKING HYPHEN}0001111"),
        *("US.4815162342108", "US.ENT.11815799212886844830", "Y2FwaV9ncm91cDoxMjM0NTY3ODkwWkQ"),
        *("15550001111@s.whatsapp.net", "777000111@lid", "120363000000000001@g.us", "120363111111111111@newsletter"),
    ],
)
def test_whom_a_provider_takes_is_sent_to(recipient: str) -> None:
    """A check of recipients that knows too little would cut whole groups of people off."""
    result, commands = call("send_text", {"text": "hi", "recipient": recipient})
    assert result.success, result.error
    assert len(commands) == 1


def test_models_and_dicts_are_one() -> None:
    """The documents' `ReplyButton(id=…, title=…)` would be sent otherwise than the dict of the older generation."""
    header = InteractiveHeader(type=HeaderType.IMAGE, image={"link": LINK})
    rows = [ListRow(id="r", title="Row")]
    pairs = [
        (buttons(buttons=[ReplyButton(**YES)], header=header), buttons(header=header.model_dump(exclude_none=True))),
        (listed(sections=[ListSection(title="S", rows=rows)]), listed(sections=[{"title": "S", "rows": [ROW]}])),
        (carousel(*[CarouselCard.model_validate(CARD)] * 2), carousel(CARD, CARD)),
        (
            ("send_contact", {"contact": ContactCard.model_validate(CONTACT)}),
            ("send_contacts", {"contacts": [CONTACT | {"emails": [], "urls": []}]}),
        ),
    ]
    for one, other in pairs:
        bodies = [call(method, {"recipient": USER, **given})[1][0].body for method, given in (one, other)]
        assert bodies[0] == bodies[1]


CONTACT = {"name": {"formatted_name": "Bo", "first_name": "Bo"}, "phones": [{"phone": "+15550002222"}]}

SENDS = sorted(
    name for name in dir(IMessenger) if name.startswith(("send_", "remove_", "edit_", "delete_", "forward_"))
)


def test_every_send_takes_priority_and_expiry() -> None:
    """A campaign of some kind could not be sent behind the answers, or not be stopped from coming too late."""
    more = {"priority": "bulk", "expires_in": 60}
    for method, arguments in TAKEN:
        (command,) = call(method, {"recipient": USER, **arguments, **more})[1]
        assert command.priority is Priority.BULK
        assert command.expires_at == command.created_at + timedelta(seconds=60)


def test_an_unknown_option_is_a_mistake_in_the_program() -> None:
    """A misspelt `expires_in` would be taken for a send that never expires."""
    with pytest.raises(TypeError, match="expire_in"):
        call("send_text", {"text": "hi", "recipient": USER, "expire_in": 5})


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("send_poll", {"question": "Well?", "choices": ["a", "b"]}),
        ("edit_message", {"message_id": "wamid.1", "text": "b"}),
        ("delete_message", {"message_id": "wamid.1"}),
        ("forward_message", {"message_id": "wamid.1"}),
    ],
)
def test_what_the_provider_can_not_do_is_refused(method: str, arguments: dict[str, Any]) -> None:
    """A poll through the Cloud API would be queued, and fail later where nobody looks."""
    given = {"recipient": USER, **arguments}
    result, commands = call(method, given, kinds=KINDS)
    assert (commands, result.error_code) == ([], "UNSUPPORTED")
    assert result.error and result.error.startswith("cloud can't do ")
    assert call(method, given)[0].success


def test_nothing_is_uploaded_for_a_send_that_can_not_be(tmp_path: Path) -> None:
    """A file of 100 MB would be read and uploaded for a message that is refused anyway."""
    kinds = frozenset(CommandKind) - {CommandKind.IMAGE}
    result, _ = call("send_image", {"image_source": tmp_path / "none.jpg", "recipient": USER}, kinds=kinds)
    assert result.error_code == "UNSUPPORTED"
    result, _ = call("send_image", {"image_source": tmp_path / "none.jpg", "recipient": ""})
    assert "no recipient" in (result.error or "")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "title", "type", "rows", "text", "image", "link"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SENDS), st.lists(values, min_size=8, max_size=8))
def test_no_argument_makes_a_send_raise(method: str, given: list[Any]) -> None:
    """A handler fed with a user's odd input would dead-letter its event instead of reading the result's error."""
    code = getattr(Messenger, method).__code__
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    result, commands = call(method, dict(zip(names, given, strict=False)))
    assert result.success is bool(commands)
    assert result.success or result.error
