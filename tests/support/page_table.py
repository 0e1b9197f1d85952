"""What happens to each code block of the documents that people come with, and what must come of it."""

from __future__ import annotations

from typing import Any, NamedTuple

USER = "15550001111"
MEDIUM = {"id": "1234567890", "sha256": "c2hh", "mime_type": "image/jpeg"}
Event = dict[str, Any]
DELIVERED = "Message delivered for ~"
"""The line of a log in which the user's number is a mask."""


class Shown(NamedTuple):
    """What happens to a block, and what must come of it.

    Attributes:
        says: what the user gets, in order: a text, or some of the values that the block's lines left behind.
        logs: what the log says of the tenant.
    """

    events: list[Event]
    says: list[str | dict[str, str]]
    logs: list[str]


def text(*said: str) -> list[Event]:
    return [{"text": each} for each in said]


def message(kind: str, content: object) -> Event:
    return {"type": kind, "content": content}


def tap(answer: str) -> Event:
    return message("interactive", {"type": "button_reply", "button_reply": {"id": answer, "title": "Get Help"}})


def told(**what: object) -> Event:
    """A part of a webhook's `value` that users don't write."""
    return {"value": what}


def raw(kind: str, content: object, **more: object) -> Event:
    """A message with fields that only the platform sets."""
    made = {"from": USER, "id": "wamid.shown", "timestamp": "1642678845", "type": kind, kind: content, **more}
    return told(messages=[made], contacts=[{"wa_id": USER, "profile": {"name": "Ana"}}])


def status(name: str, code: int | None = None, title: str = "Undeliverable") -> Event:
    errors = {} if code is None else {"errors": [{"code": code, "title": title}]}
    return told(
        statuses=[{"id": f"wamid.out.{code}", "status": name, "timestamp": "1", "recipient_id": USER, **errors}]
    )


def error(code: int, title: str) -> Event:
    return told(errors=[{"code": code, "title": title, "message": title}])


IMAGE = message("image", {**MEDIUM, "caption": "nice"})
PLACE = message("location", {"latitude": 40.7, "longitude": -73.9, "name": "Central Park", "address": "New York, NY"})
NAME = {"formatted_name": "Bo", "first_name": "Bo"}
CONTACT = message("contacts", [{"name": NAME, "phones": [{"phone": "+155500"}]}])
MENU = "What would you like to order?"
REPLY = {"from": "1555", "id": "wamid.before"}
SORRY = "❌ Sorry, something went wrong processing your message.\nPlease try again in a moment."
FINISHED = ["finished message"]

TABLE: dict[str, Shown] = {
    "events__message": Shown(text("hi"), ["You said: hi"], []),
    "events__status": Shown([status("delivered")], [], [DELIVERED]),
    "events__error": Shown([error(130429, "Rate limit hit")], [], ["WhatsApp error: Rate limit hit"]),
    "events__text": Shown(text("Hello there!"), ["Echo: Hello there!"], []),
    "events__media": Shown([IMAGE], ["Nice image!"], []),
    "events__interactive": Shown([tap("help")], ["Here's help!"], []),
    "events__location": Shown([PLACE, CONTACT], ["Thanks for location: 40.7, -73.9", "Got 1 contacts!"], []),
    "events__memory": Shown(text("hi"), [], FINISHED),
    "events__json": Shown(text("hi"), [{"user_data": "{'step': 'ordering'}"}], []),
    "events__redis": Shown(text("hi"), [{"cart_data": "{'cart': ['item1', 'item2']}"}], []),
    "events__methods": Shown(text("hi"), [{"user_data": "{'key': 'value'}", "exists": "True"}], []),
    "events__echo": Shown(text("hi"), ["Echo: hi"], []),
    "events__customer": Shown(
        text("Your hours?", "location", "hi"),
        ["We're open Mon-Fri 9AM-6PM", "Find us here!", "How can I help you today?"],
        [],
    ),
    "events__order": Shown(
        text("hi", "pizza", "yes", "hi"), [MENU, "Add pizza to cart?", "✅ pizza added to cart!", MENU], []
    ),
    "events__robust": Shown(
        text("fail Anything"),
        ["Sorry, I had trouble processing that. Please try again!"],
        ["Message processing failed: as asked"],
    ),
    "events__platform_error": Shown(
        [error(131051, "Unsupported message type"), error(130429, "Rate limit hit"), error(1, "Other")],
        [],
        ["131051 - Unsupported", "this is normal", "implement backoff strategy", "Unexpected platform error"],
    ),
    "events__tracking": Shown([status("failed", 131026), status("read")], [], ["failed to deliver to", "was read by"]),
    "events__detection": Shown(text("hi"), [{"message_type": "text"}], []),
    "events__session": Shown(text("hi"), [], ["called _handle_main_menu"]),
    "events__recovery": Shown(
        text("fail ValidationError", "fail ExternalServiceError", "fail Anything"),
        [
            "Please check your input and try again.",
            "Service temporarily unavailable. We'll try again shortly.",
            "Something went wrong. Our team has been notified.",
        ],
        ["Unexpected error: as asked"],
    ),
    "events__properties": Shown([IMAGE], [{"user_id": USER}], []),
    "events__cache": Shown(text("hi"), [{"user_data": "{'step': 'ordering'}", "step": "ordering"}], []),
    "handlers__overview": Shown(
        [*text("hi"), status("read"), error(1, "Other")], ["Hello!"], [*FINISHED, "finished status", "finished error"]
    ),
    "handlers__echo": Shown(text("hi"), ["🔄 Echo: hi"], []),
    "handlers__advanced": Shown(
        [*text("/go", "hi"), status("delivered"), error(131051, "Unsupported message type")],
        [],
        [
            "called _handle_command",
            "called _handle_regular_message",
            DELIVERED,
            "WhatsApp error: 131051 - Unsupported message type",
        ],
    ),
    "handlers__injection": Shown(text("hi"), [], FINISHED),
    "handlers__extraction": Shown(
        [
            {**text("hi")[0], "name": "Ana"},
            raw("text", {"body": "and"}, context=REPLY),
        ],
        [
            {"user_id": USER, "user_name": "Ana", "message_text": "hi", "message_type": "text", "reply_to": "None"},
            {"reply_to": "wamid.before", "timestamp": "1642678845"},
        ],
        [],
    ),
    "handlers__acknowledgment": Shown(text("hi"), [{"user_id": USER}], []),
    "handlers__response": Shown(text("hi"), ["Your message here", {"user_id": USER}], ["Message sent: "]),
    "handlers__recovery": Shown(text("fail Anything"), [SORRY], ["Processing failed: as asked"]),
    "handlers__validation": Shown(text("hi"), [], FINISHED),
    "handlers__metrics": Shown(
        text("hi", "fail Anything"), [], ["called _handle_message", "Message processed in", "Processing failed after"]
    ),
    "handlers__commands": Shown(
        text("/help", "/fly", "hi"),
        ["Unknown command: /fly"],
        ["called _handle_help_command", "called _handle_regular_message"],
    ),
    "handlers__state": Shown(text("hi"), [], ["called _handle_new_conversation"]),
    "webhooks__message": Shown(text("hi"), [], FINISHED),
    "webhooks__status": Shown([status("failed", 131026, "Gone")], [], ["Failed: Gone", "finished status"]),
    "webhooks__error": Shown([error(131051, "Unsupported")], [], ["finished error"]),
    "webhooks__text": Shown(
        [raw("text", {"body": "Hello!"}, context=REPLY)],
        [{"text": "Hello!", "message_id": "wamid.shown", "original_id": "wamid.before"}],
        [],
    ),
    "webhooks__interactive": Shown(
        [tap("help_button")],
        [{"selection": "help_button", "option_title": "Get Help", "is_button": "True", "is_list": "False"}],
        [],
    ),
    "webhooks__media": Shown(
        [IMAGE, message("audio", {**MEDIUM, "mime_type": "audio/ogg; codecs=opus", "voice": True})],
        [{"media_id": MEDIUM["id"], "caption": "nice", "mime_type": "image/jpeg"}, {"is_voice": "True"}],
        [],
    ),
    "webhooks__location": Shown(
        [PLACE], [{"lat": "40.7", "lng": "-73.9", "address": "New York, NY", "name": "Central Park"}], []
    ),
    "webhooks__contact": Shown([CONTACT], [{"name": "Bo", "phone": "+155500"}], []),
    "webhooks__clean": Shown(text("hi"), [], FINISHED),
    "webhooks__types": Shown([*text("hi"), PLACE], [{"text": "hi"}, {"lat": "40.7", "lng": "-73.9"}], []),
    "webhooks__selections": Shown(
        [tap("help"), tap("product_7")], ["Here's help!", {}, {"product_id": "7"}], ["called show_product_details"]
    ),
    "webhooks__context": Shown(
        [
            raw("text", {"body": "look"}, context={"forwarded": True}),
            raw(
                "text",
                {"body": "this?"},
                id="wamid.product",
                context={"id": "w", "referred_product": {"catalog_id": "c", "product_retailer_id": "sku"}},
                referral={"source_id": "ad-1", "source_type": "ad", "source_url": "https://fb.me/x"},
            ),
        ],
        ["Thanks for forwarding that!", {}, {"product_id": "sku", "campaign_id": "ad-1"}],
        [],
    ),
    "webhooks__errors": Shown(
        [
            status("failed", 131051, "Unsupported"),
            status("failed", 130429, "Rate limit hit"),
            error(130429, "Rate limit hit"),
        ],
        [],
        ["unsupported message - normal", "Rate limited - implement backoff", "called schedule_retry"],
    ),
    "webhooks__odd_types": Shown(
        [raw("unsupported", {"type": "unknown"}, errors=[{"code": 131051, "title": "Unsupported message type"}])],
        ["Sorry, I can't process that type of message.", {}],
        [],
    ),
    "webhooks__odd_selections": Shown([*text("hi"), tap("x")], [{}, {"selection": "x"}], ["with no selection"]),
    "webhooks__large_media": Shown([IMAGE], [{"user_id": USER}], []),
    "webhooks__status_order": Shown([status("read")], [], ["finished status"]),
    "webhooks__raw_data": Shown(text("hi"), [], FINISHED),
    "webhooks__summary": Shown(text("hi"), [{"user_id": USER}], ["'webhook_type': 'incoming_message'"]),
    "webhooks__validation": Shown(text("hi"), [], FINISHED),
}
