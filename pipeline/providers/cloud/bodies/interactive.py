"""Build interactive messages: buttons, lists, links, requests and calls."""

from __future__ import annotations

from pipeline.providers.cloud.bodies.basic import string
from pipeline.providers.cloud.bodies.envelope import MessageContent
from pipeline.providers.cloud.bodies.media import named
from pipeline.topics.types import Json


def buttons(body: Json) -> MessageContent:
    return interactive("button", body, {"buttons": [reply_button(each) for each in body["buttons"]]})


def listed(body: Json) -> MessageContent:
    return interactive("list", body, {"button": string(body, "button"), "sections": body["sections"]})


def link(body: Json) -> MessageContent:
    return interactive("cta_url", body, url_action(body))


def location_request(body: Json) -> MessageContent:
    return interactive("location_request_message", body, {"name": "send_location"})


def contact_request(body: Json) -> MessageContent:
    return interactive("request_contact_info", body, {"name": "request_contact_info"})


def address(body: Json) -> MessageContent:
    named_fields = ("country", "values", "saved_addresses")
    parameters = {"country": string(body, "country")} | {name: body[name] for name in named_fields if body.get(name)}
    return interactive("address_message", body, {"name": "address_message", "parameters": parameters})


def call(body: Json) -> MessageContent:
    given = {"display_text": body.get("button"), "ttl_minutes": body.get("ttl_minutes")}
    parameters = {name: value for name, value in given.items() if value}
    return interactive("voice_call", body, action("voice_call", parameters))


def call_permission(body: Json) -> MessageContent:
    return interactive("call_permission_request", body, {"name": "call_permission_request"})


def interactive(kind: str, body: Json, act: Json) -> MessageContent:
    """Build an interactive message with the header, text and footer of the body."""
    content: Json = {"type": kind}
    if body.get("header"):
        content["header"] = header(body["header"])
    if body.get("text"):
        content["body"] = {"text": body["text"]}
    if body.get("footer"):
        content["footer"] = {"text": body["footer"]}
    return MessageContent("interactive", content | {"action": act})


def header(given: Json) -> Json:
    kind = string(given, "type")
    return {"type": kind, kind: given["text"] if kind == "text" else named(given["media"])}


def reply_button(given: Json) -> Json:
    return {"type": "reply", "reply": {"id": given["id"], "title": given["title"]}}


def url_action(given: Json) -> Json:
    return action("cta_url", {"display_text": string(given, "button"), "url": string(given, "url")})


def action(name: str, parameters: Json) -> Json:
    return {"name": name} | ({"parameters": parameters} if parameters else {})
