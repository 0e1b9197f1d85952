"""Every path of the HTTP API: what Wappa's callers of both generations send, and the commands that it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import InvalidRecord
from pipeline.handlers import EventHandler, IMessenger
from pipeline.handlers.api.bodies import SendBody
from pipeline.handlers.api.paths import PATHS
from pipeline.testing import HandlerDriver, api_message
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import MessageEvent
from tests.support.send_api import USER

LINK = "https://shop.example/parcel.png"
CARD = {"name": {"formatted_name": "Ana", "first_name": "Ana"}, "phones": [{"phone": "+15550003333", "type": "CELL"}]}
ROWS = [{"title": "Sizes", "rows": [{"id": "s", "title": "Small"}]}]
PARAMETERS = [{"type": "text", "text": "17"}]
PLACE = {"latitude": "37.48", "longitude": "-122.14", "name": "Shop", "address": "Main Street 1"}
NAMED = {"recipient": {"kind": "phone_number", "value": USER}, "template_name": "parcel", "category": "utility"}

Case = tuple[str, dict[str, Any], CommandKind, dict[str, Any]]
CASES: list[Case] = [
    ("messages/send-text", {"text": f"see {LINK}"}, CommandKind.TEXT, {"text": f"see {LINK}", "preview_url": True}),
    ("messages/send-text", {"text": LINK, "disable_preview": True}, CommandKind.TEXT, {"preview_url": False}),
    ("messages/mark-as-read", {"message_id": "wamid.1", "typing": True}, CommandKind.READ, {"typing": True}),
    ("media/send-image", {"media_source": LINK, "caption": "c"}, CommandKind.IMAGE, {"media": {"link": LINK}}),
    ("media/send-image", {"media_source": "17", "media_type": "image"}, CommandKind.IMAGE, {"media": {"id": "17"}}),
    ("media/send-video", {"media_source": LINK, "transcript": "t"}, CommandKind.VIDEO, {"media": {"link": LINK}}),
    ("media/send-audio", {"media_source": "17", "caption": None}, CommandKind.AUDIO, {"media": {"id": "17"}}),
    (
        "media/send-document",
        {"media_source": LINK, "filename": "bill.pdf", "caption": "Bill", "description": "d"},
        CommandKind.DOCUMENT,
        {"media": {"link": LINK, "filename": "bill.pdf"}, "caption": "Bill"},
    ),
    ("media/send-sticker", {"media_source": "17"}, CommandKind.STICKER, {"media": {"id": "17"}}),
    (
        "interactive/send-buttons",
        {"body": "?", "buttons": [{"id": "y", "title": "Yes"}], "header": {"type": "image", "image": {"id": "17"}}},
        CommandKind.BUTTONS,
        {"text": "?", "buttons": [{"id": "y", "title": "Yes"}], "header": {"type": "image", "media": {"id": "17"}}},
    ),
    (
        "interactive/send-list",
        {"body": "?", "button_text": "Sizes", "sections": ROWS, "header": "Shop", "interactive_type": "list"},
        CommandKind.LIST,
        {"button": "Sizes", "sections": ROWS, "header": {"type": "text", "text": "Shop"}},
    ),
    (
        "interactive/send-cta",
        {"body": "Track it", "button_text": "Track", "button_url": LINK, "footer": "Shop"},
        CommandKind.CTA,
        {"text": "Track it", "button": "Track", "url": LINK, "footer": "Shop"},
    ),
    (
        "templates/send-text",
        {"template_name": "parcel", "language": {"code": "en"}, "template_type": "text", "body_parameters": PARAMETERS},
        CommandKind.TEMPLATE,
        {"name": "parcel", "language": "en", "components": [{"type": "body", "parameters": PARAMETERS}]},
    ),
    (
        "templates/send-text",
        NAMED | {"language_code": "en", "category": "marketing", "routing": {"policy": "category_default"}},
        CommandKind.TEMPLATE,
        {"name": "parcel", "language": "en", "marketing": True},
    ),
    (
        "templates/send-media",
        {"template_name": "parcel", "media_type": "image", "media_url": LINK},
        CommandKind.TEMPLATE,
        {
            "language": "es",
            "components": [_header := {"type": "header", "parameters": [{"type": "image", "image": {"link": LINK}}]}],
        },
    ),
    (
        "templates/send-media",
        NAMED | {"kind": "media", "media_header": {"media_type": "image", "media_url": LINK}},
        CommandKind.TEMPLATE,
        {"components": [_header]},
    ),
    ("templates/send-location", {"template_name": "shop"} | PLACE, CommandKind.TEMPLATE, {"name": "shop"}),
    ("templates/send-location", NAMED | {"location_header": PLACE}, CommandKind.TEMPLATE, {"name": "parcel"}),
    ("specialized/send-contact", {"contact": CARD}, CommandKind.CONTACTS, {"contacts": [CARD]}),
    (
        "specialized/send-location",
        {"latitude": 37.48, "longitude": -122, "name": "Shop"},
        CommandKind.LOCATION,
        {"latitude": 37.48, "longitude": -122.0, "name": "Shop"},
    ),
    ("specialized/send-location-request", {"body": "Where?"}, CommandKind.LOCATION_REQUEST, {"text": "Where?"}),
]


class Silent(EventHandler):
    """Without the hook."""

    async def process_message(self, webhook: MessageEvent) -> None: ...


def sent(path: str, **payload: Any) -> Command:
    driver = HandlerDriver(Silent())
    event = api_message(path, **payload)
    driver.handle(event)
    (command,) = driver.sent
    assert command.command_id == event.message_id
    return command


@pytest.mark.parametrize(
    ("path", "payload", "kind", "body"), CASES, ids=[f"{each[0]}-{i}" for i, each in enumerate(CASES)]
)
def test_a_body_of_wappas_becomes_its_command(
    path: str, payload: dict[str, Any], kind: CommandKind, body: dict[str, Any]
) -> None:
    """A shop that was written for Wappa would be refused, or its customers read something else."""
    command = sent(path, **payload)
    assert (command.kind, command.recipient) == (kind, USER)
    assert command.body | body == command.body


def test_every_path_is_tried() -> None:
    """A path of the table could lead to a method that does not take what its body gives."""
    assert {path for path, *_ in CASES} == set(PATHS)
    assert all(callable(getattr(IMessenger, call.method)) for call in PATHS.values())
    assert all(issubclass(call.body, SendBody) for call in PATHS.values())


@pytest.mark.parametrize("path", sorted(set(PATHS) - {"messages/mark-as-read"}))
def test_every_send_takes_what_all_sends_take(path: str) -> None:
    """A campaign would stand before the answers, or a code be sent after it has expired."""
    payload = next(payload for name, payload, *_ in CASES if name == path)
    options = {"priority": "bulk", "expires_in": 60, "reply_to_message_id": "wamid.9", "user_id": "customer-17"}
    command = sent(path, **payload | options)
    assert (command.priority, command.reply_to) == ("bulk", "wamid.9")
    assert command.expires_at is not None and (command.expires_at - command.created_at).total_seconds() == 60


@pytest.mark.parametrize(
    ("provider", "written", "recipient"),
    [
        ("cloud", "+1 (555) 000-1111", USER),
        ("cloud", "US.4815162342108", "US.4815162342108"),
        ("wasender", "15550001111@c.us", USER),
        ("waha", "+1 555 000 1111", USER),
        ("wawp", "120363000000000001@g.us", "120363000000000001@g.us"),
    ],
)
def test_a_recipient_is_named_as_its_own_messages_name_it(provider: str, written: str, recipient: str) -> None:
    """The send and the handler's answers would be two conversations, out of order with each other."""
    event = api_message(provider=provider, recipient=written, text="hi")
    assert event.conversation == f"{provider}:{event.account}:{recipient}"
    driver = HandlerDriver(Silent())
    driver.handle(event)
    assert [command.recipient for command in driver.sent] == [recipient]


def test_what_this_version_can_not_carry_out_is_a_dead_letter() -> None:
    """A send that was answered 200 would be gone in silence while versions are mixed."""
    event = api_message(text="hi")
    for changed in ({"path": "messages/send-hologram"}, {"request_payload": {"recipient": USER, "hologram": 1}}):
        with pytest.raises(InvalidRecord):
            HandlerDriver(Silent()).handle(event.model_copy(update=changed))
