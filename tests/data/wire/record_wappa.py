"""Records what Wappa 0.31.0's own client puts on the wire, for `tests/unit/test_wire_bodies.py`.

    pip download --no-deps wappa==0.31.0; unzip it into WAPPA; pip install httpx pydantic pydantic-settings structlog …
    python record_wappa.py WAPPA > wappa-0.31.0.json

The packages' `__init__` files are left out: they pull in a web framework and, before Python 3.12, syntax that can't be
read. The messenger, its handlers, its factories and its models are Wappa's own; its HTTP client is one that notes.
"""

# mypy: ignore-errors
import asyncio
import json
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

ROOT = Path(sys.argv[1])
sys.path.insert(0, str(ROOT))
for folder in [*(each for each in (ROOT / "wappa").rglob("*") if each.is_dir()), ROOT / "wappa"]:
    name = ".".join(folder.relative_to(ROOT).parts)
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
logger = types.ModuleType("wappa.core.logging.logger")
logger.get_logger = lambda *_: MagicMock()
logger.ContextLogger = MagicMock
sys.modules["wappa.core.logging.logger"] = logger
sys.modules["wappa.resilience"].is_transient_http_error = MagicMock()

from wappa.messaging.whatsapp.handlers.whatsapp_interactive_handler import WhatsAppInteractiveHandler  # noqa: E402
from wappa.messaging.whatsapp.handlers.whatsapp_specialized_handler import WhatsAppSpecializedHandler  # noqa: E402
from wappa.messaging.whatsapp.handlers.whatsapp_template_handler import WhatsAppTemplateHandler  # noqa: E402
from wappa.messaging.whatsapp.messenger.whatsapp_messenger import WhatsAppMessenger  # noqa: E402
from wappa.messaging.whatsapp.models.interactive_models import (  # noqa: E402
    InteractiveHeader,
    ListSection,
    ReplyButton,
)

TO, MEDIA, WAMID = "15550001111", "1003383421387256", "wamid.T1"
LINK = "https://files.example/a.jpg"
PARAMETERS = [{"type": "text", "text": "Ana"}, {"type": "text", "text": "42"}]
BUTTONS = [{"id": "hours", "title": "Store hours"}, {"id": "support", "title": "Get support"}]
SECTIONS = [
    {"title": "Fast", "rows": [{"id": "exp", "title": "Express", "description": "Next day"}]},
    {"title": "Slow", "rows": [{"id": "std", "title": "Standard"}]},
]
CONTACT = {
    "name": {"formatted_name": "Bo Lind", "first_name": "Bo"},
    "phones": [{"phone": "+15550002222", "type": "WORK", "wa_id": "15550002222"}],
    "emails": [{"email": "bo@example.com"}],
    "urls": [{"url": "https://example.com", "type": "WORK"}],
    "addresses": [{"city": "Lund", "country_code": "SE"}],
    "org": {"company": "Lind AB"},
    "birthday": "1990-01-31",
}
PLACE = {"latitude": "40.7589", "longitude": "-73.9851", "name": "Our shop", "address": "New York, NY"}
CALLS = [
    ("send_text", {"text": "Hello", "recipient": TO}),
    ("send_text", {"text": "See https://example.com", "recipient": TO, "reply_to_message_id": WAMID}),
    ("send_text", {"text": "See https://example.com", "recipient": TO, "disable_preview": True}),
    ("send_text", {"text": "Hello", "recipient": "US.4815162342108"}),
    ("mark_as_read", {"message_id": WAMID}),
    ("mark_as_read", {"message_id": WAMID, "typing": True}),
    ("send_image", {"image_source": LINK, "recipient": TO, "caption": "Receipt", "reply_to_message_id": WAMID}),
    ("send_image", {"image_source": MEDIA, "recipient": TO}),
    ("send_video", {"video_source": MEDIA, "recipient": TO, "caption": "Demo", "transcript": "unsent"}),
    ("send_audio", {"audio_source": MEDIA, "recipient": TO}),
    ("send_audio", {"audio_source": MEDIA, "recipient": TO, "is_voice": True}),
    ("send_document", {"document_source": MEDIA, "recipient": TO, "filename": "invoice.pdf"}),
    ("send_document", {"document_source": MEDIA, "recipient": TO, "filename": "invoice.pdf", "caption": "Invoice"}),
    ("send_sticker", {"sticker_source": MEDIA, "recipient": TO}),
    ("send_button_message", {"buttons": BUTTONS, "recipient": TO, "body": "How can I help?"}),
    (
        "send_button_message",
        {
            "buttons": BUTTONS,
            "recipient": TO,
            "body": "How can I help?",
            "header": {"type": "text", "text": "Store"},
            "footer": "Open 9-18",
            "reply_to_message_id": WAMID,
        },
    ),
    (
        "send_button_message",
        {"buttons": BUTTONS, "recipient": TO, "body": "Choose", "header": {"type": "image", "image": {"link": LINK}}},
    ),
    (
        "send_button_message",
        {"buttons": BUTTONS, "recipient": TO, "body": "Choose", "header": {"type": "video", "video": {"id": MEDIA}}},
    ),
    ("send_list_message", {"sections": SECTIONS, "recipient": TO, "body": "Which option?", "button_text": "Options"}),
    (
        "send_list_message",
        {
            "sections": SECTIONS,
            "recipient": TO,
            "body": "Which option?",
            "button_text": "Options",
            "header": "Shipping",
            "footer": "Tap to choose",
            "reply_to_message_id": WAMID,
        },
    ),
    (
        "send_cta_message",
        {"button_text": "See dates", "button_url": "https://example.com", "recipient": TO, "body": "See the dates"},
    ),
    (
        "send_cta_message",
        {
            "button_text": "See dates",
            "button_url": "https://example.com",
            "recipient": TO,
            "body": "See the dates",
            "header": "Dates",
            "footer": "2026",
        },
    ),
    ("send_contact_request", {"body": "Please share your number", "recipient": "US.4815162342108"}),
    ("send_text_template", {"template_name": "hello", "recipient": TO, "template_type": "utility"}),
    (
        "send_text_template",
        {
            "template_name": "order_update",
            "recipient": TO,
            "body_parameters": PARAMETERS,
            "language_code": "en_US",
            "template_type": "marketing",
        },
    ),
    (
        "send_text_template",
        {
            "template_name": "named",
            "recipient": TO,
            "body_parameters": [{"type": "text", "text": "Ana", "parameter_name": "first_name"}],
            "template_type": "marketing",
            "routing_policy": "cloud_messages_fallback",
        },
    ),
    (
        "send_text_template",
        {
            "template_name": "code",
            "recipient": TO,
            "body_parameters": [{"type": "text", "text": "123456"}],
            "template_type": "authentication",
            "authentication_method": "copy_code",
        },
    ),
    (
        "send_media_template",
        {
            "template_name": "promo",
            "recipient": TO,
            "media_type": "image",
            "media_id": MEDIA,
            "body_parameters": PARAMETERS,
            "template_type": "utility",
        },
    ),
    (
        "send_media_template",
        {
            "template_name": "promo",
            "recipient": TO,
            "media_type": "video",
            "media_url": LINK,
            "template_type": "utility",
        },
    ),
    (
        "send_location_template",
        {
            "template_name": "shop",
            "recipient": TO,
            **PLACE,
            "body_parameters": PARAMETERS,
            "template_type": "utility",
        },
    ),
    ("send_contact", {"contact": CONTACT, "recipient": TO, "reply_to_message_id": WAMID}),
    (
        "send_location",
        {"latitude": 40.7589, "longitude": -73.9851, "recipient": TO, "name": "Our shop", "address": "New York, NY"},
    ),
    ("send_location", {"latitude": 40.7589, "longitude": -73.9851, "recipient": TO}),
    ("send_location_request", {"body": "Where are you?", "recipient": TO, "reply_to_message_id": WAMID}),
]


class Urls:
    """Wappa's paths, without a host."""

    def get_marketing_messages_url(self):
        return "marketing_messages"


class Client:
    """Notes what is posted."""

    url_builder = Urls()

    def __init__(self):
        self.posted = []

    async def post_request(self, payload, custom_url=None):
        self.posted.append({"endpoint": custom_url or "messages", "body": payload})
        return {"messages": [{"id": "wamid.OUT"}]}


def models(arguments):
    """The arguments as 0.31 wants them: models instead of dicts."""
    made = dict(arguments)
    if "buttons" in made:
        made["buttons"] = [ReplyButton(**each) for each in made["buttons"]]
    if "sections" in made:
        made["sections"] = [ListSection(**each) for each in made["sections"]]
    if isinstance(made.get("header"), dict):
        made["header"] = InteractiveHeader(**made["header"])
    return made


async def record():
    client = Client()
    parts = [kind(client, "106") for kind in (WhatsAppInteractiveHandler, WhatsAppTemplateHandler)]
    messenger = WhatsAppMessenger(client, None, *parts, WhatsAppSpecializedHandler(client, "106"), "106")
    for method, arguments in CALLS:
        client.posted.clear()
        result = await getattr(messenger, method)(**models(arguments))
        assert result.success, (method, result.error)
        (posted,) = client.posted
        yield {"method": method, "arguments": arguments, **posted}


async def main():
    print(json.dumps([each async for each in record()], indent=1))


asyncio.run(main())
