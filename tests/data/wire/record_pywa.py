"""Records what PyWa 4.5.0's own client puts on the wire, for `tests/unit/test_wire_bodies.py`.

    pip install pywa==4.5.0; python record_pywa.py > pywa-4.5.0.json

`method` and `arguments` are our call of the same send; the body is what PyWa's client gave to its HTTP session.
"""

# mypy: ignore-errors
import json

import httpx
from pywa import WhatsApp
from pywa.types import (
    Button,
    CallPermissionRequestButton,
    FlowActionType,
    FlowButton,
    ImageCarouselCard,
    ProductsSection,
    Section,
    SectionList,
    SectionRow,
    URLButton,
    VoiceCallButton,
)

TO, MEDIA, WAMID, GROUP = "15550001111", "1003383421387256", "wamid.T1", "Y2FwaV9ncm91cDoxMjM0NTY3ODkwWkQ"
LINK = "https://files.example/a.jpg"
posted = []


def answer(request):
    posted.append({"endpoint": request.url.path.rsplit("/", 1)[1], "body": json.loads(request.content)})
    if "status" in posted[-1]["body"]:
        return httpx.Response(200, json={"success": True})
    reply = {"messaging_product": "whatsapp", "contacts": [{"input": TO, "wa_id": TO}], "messages": [{"id": "wamid.O"}]}
    return httpx.Response(200, json=reply)


wa = WhatsApp(
    phone_id="106", token="t", session=httpx.Client(transport=httpx.MockTransport(answer), base_url="http://graph")
)
BUTTONS = [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}]
CARDS = [
    {
        "header": {"type": "image", "image": {"link": f"{LINK}?{n}"}},
        "body": f"Card {n}",
        "button_text": "Buy",
        "button_url": f"https://example.com/{n}",
    }
    for n in (1, 2)
]
QUICK = [
    {
        "header": {"type": "image", "image": {"link": f"{LINK}?{n}"}},
        "buttons": [{"id": f"more_{n}", "title": "Learn more"}],
    }
    for n in (1, 2)
]
FLOW = {
    "flow_id": "888000111",
    "flow_token": "tok-1",
    "mode": "published",
    "flow_action": "navigate",
    "flow_action_payload": {"screen": "START", "data": {"plan": "basic"}},
}
CALLS = [
    ("send_text", {"text": "Hello", "recipient": TO}, lambda: wa.send_message(TO, "Hello")),
    (
        "send_text",
        {"text": "See https://example.com", "recipient": TO, "reply_to_message_id": WAMID},
        lambda: wa.send_message(TO, "See https://example.com", preview_url=True, reply_to_message_id=WAMID),
    ),
    ("send_text", {"text": "Hello all", "recipient": GROUP}, lambda: wa.send_message(GROUP, "Hello all")),
    (
        "send_text",
        {"text": "Hello", "recipient": "US.4815162342108"},
        lambda: wa.send_message("US.4815162342108", "Hello"),
    ),
    (
        "send_button_message",
        {"buttons": BUTTONS, "recipient": TO, "body": "Well?", "header": "Store", "footer": "Foot"},
        lambda: wa.send_message(
            TO, "Well?", header="Store", footer="Foot", buttons=[Button("Yes", "yes"), Button("No", "no")]
        ),
    ),
    (
        "send_button_message",
        {
            "buttons": BUTTONS,
            "recipient": TO,
            "body": "Well?",
            "header": {"type": "document", "document": {"id": MEDIA, "filename": "a.pdf"}},
        },
        lambda: wa.send_document(
            TO, MEDIA, filename="a.pdf", caption="Well?", buttons=[Button("Yes", "yes"), Button("No", "no")]
        ),
    ),
    (
        "send_cta_message",
        {"button_text": "See dates", "button_url": "https://example.com", "recipient": TO, "body": "See"},
        lambda: wa.send_message(TO, "See", buttons=URLButton("See dates", "https://example.com")),
    ),
    (
        "send_list_message",
        {
            "sections": [{"title": "Fast", "rows": [{"id": "exp", "title": "Express", "description": "Next day"}]}],
            "recipient": TO,
            "body": "Which?",
            "button_text": "Options",
        },
        lambda: wa.send_message(
            TO,
            "Which?",
            buttons=SectionList("Options", [Section("Fast", [SectionRow("Express", "exp", "Next day")])]),
        ),
    ),
    (
        "send_call_button",
        {"body": "Call us", "recipient": TO, "button_text": "Call now", "ttl_minutes": 100},
        lambda: wa.send_message(TO, "Call us", buttons=VoiceCallButton("Call now", ttl_minutes=100)),
    ),
    (
        "send_call_permission_request",
        {"body": "May we call you?", "recipient": TO},
        lambda: wa.send_message(TO, "May we call you?", buttons=CallPermissionRequestButton()),
    ),
    (
        "send_flow",
        {"flow": FLOW, "recipient": TO, "body": "Sign up", "button_text": "Go"},
        lambda: wa.send_message(
            TO,
            "Sign up",
            buttons=FlowButton(
                "Go",
                flow_message_version="3",
                flow_token="tok-1",
                flow_id="888000111",
                flow_action_type=FlowActionType.NAVIGATE,
                flow_action_screen="START",
                flow_action_payload={"plan": "basic"},
            ),
        ),
    ),
    (
        "send_image",
        {"image_source": LINK, "recipient": TO, "caption": "Receipt"},
        lambda: wa.send_image(TO, LINK, caption="Receipt"),
    ),
    ("send_video", {"video_source": MEDIA, "recipient": TO}, lambda: wa.send_video(TO, MEDIA)),
    (
        "send_document",
        {"document_source": MEDIA, "recipient": TO, "filename": "invoice.pdf", "caption": "Invoice"},
        lambda: wa.send_document(TO, MEDIA, filename="invoice.pdf", caption="Invoice"),
    ),
    ("send_audio", {"audio_source": MEDIA, "recipient": TO}, lambda: wa.send_audio(TO, MEDIA)),
    ("send_voice", {"audio_source": MEDIA, "recipient": TO}, lambda: wa.send_voice(TO, MEDIA)),
    ("send_sticker", {"sticker_source": MEDIA, "recipient": TO}, lambda: wa.send_sticker(TO, MEDIA)),
    (
        "send_reaction",
        {"emoji": "\U0001f44d", "message_id": WAMID, "recipient": TO},
        lambda: wa.send_reaction(TO, "\U0001f44d", WAMID),
    ),
    ("remove_reaction", {"message_id": WAMID, "recipient": TO}, lambda: wa.remove_reaction(TO, WAMID)),
    (
        "send_location",
        {"latitude": 40.7589, "longitude": -73.9851, "recipient": TO, "name": "Shop", "address": "NY"},
        lambda: wa.send_location(TO, 40.7589, -73.9851, "Shop", "NY"),
    ),
    (
        "send_location_request",
        {"body": "Where are you?", "recipient": TO},
        lambda: wa.request_location(TO, "Where are you?"),
    ),
    (
        "send_contact_request",
        {"body": "Your number?", "recipient": "US.4815162342108"},
        lambda: wa.request_contact_info("US.4815162342108", "Your number?"),
    ),
    (
        "send_catalog",
        {"body": "Ours", "recipient": TO, "thumbnail_product_retailer_id": "SKU-1", "footer": "Deals"},
        lambda: wa.send_catalog(TO, "Ours", "Deals", thumbnail_product_sku="SKU-1"),
    ),
    ("send_catalog", {"body": "Ours", "recipient": TO}, lambda: wa.send_catalog(TO, "Ours")),
    (
        "send_product",
        {"catalog_id": "555000555", "product_retailer_id": "SKU-1", "recipient": TO, "body": "This?", "footer": "F"},
        lambda: wa.send_product(TO, "555000555", "SKU-1", body="This?", footer="F"),
    ),
    (
        "send_products",
        {
            "catalog_id": "555000555",
            "sections": [{"title": "Phones", "product_retailer_ids": ["SKU-1", "SKU-2"]}],
            "recipient": TO,
            "header": "Picks",
            "body": "For you",
        },
        lambda: wa.send_products(TO, "555000555", [ProductsSection("Phones", ["SKU-1", "SKU-2"])], "Picks", "For you"),
    ),
    (
        "send_carousel",
        {"body": "New", "cards": CARDS, "recipient": TO},
        lambda: wa.send_carousel(
            TO,
            body="New",
            cards=[
                ImageCarouselCard(
                    image=f"{LINK}?{n}", body=f"Card {n}", buttons=URLButton("Buy", f"https://example.com/{n}")
                )
                for n in (1, 2)
            ],
        ),
    ),
    (
        "send_carousel",
        {"body": "New", "cards": QUICK, "recipient": TO},
        lambda: wa.send_carousel(
            TO,
            body="New",
            cards=[ImageCarouselCard(image=f"{LINK}?{n}", buttons=[Button("Learn more", f"more_{n}")]) for n in (1, 2)],
        ),
    ),
    (
        "pin_message",
        {"message_id": WAMID, "recipient": GROUP, "pin_for": 7 * 86_400},
        lambda: wa.pin_message(GROUP, WAMID, expiration_days=7),
    ),
    ("unpin_message", {"message_id": WAMID, "recipient": GROUP}, lambda: wa.unpin_message(GROUP, WAMID)),
    ("mark_as_read", {"message_id": WAMID}, lambda: wa.mark_message_as_read(WAMID)),
    ("mark_as_read", {"message_id": WAMID, "typing": True}, lambda: wa.indicate_typing(WAMID)),
]


def record():
    for method, arguments, call in CALLS:
        posted.clear()
        call()
        (one,) = posted
        yield {"method": method, "arguments": arguments, **one}


print(json.dumps(list(record()), indent=1))
