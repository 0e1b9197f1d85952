"""Messages with something to tap."""

from __future__ import annotations

from typing import Any

from pipeline.providers.cloud.bodies.basic import string
from pipeline.providers.cloud.bodies.envelope import Content
from pipeline.providers.cloud.bodies.media import named

Body = dict[str, Any]


def buttons(body: Body) -> Content:
    return interactive("button", body, {"buttons": [reply_button(each) for each in body["buttons"]]})


def listed(body: Body) -> Content:
    return interactive("list", body, {"button": string(body, "button"), "sections": body["sections"]})


def link(body: Body) -> Content:
    return interactive("cta_url", body, url_action(body))


def location_request(body: Body) -> Content:
    return interactive("location_request_message", body, {"name": "send_location"})


def contact_request(body: Body) -> Content:
    return interactive("request_contact_info", body, {"name": "request_contact_info"})


def address(body: Body) -> Content:
    named_fields = ("country", "values", "saved_addresses")
    parameters = {"country": string(body, "country")} | {name: body[name] for name in named_fields if body.get(name)}
    return interactive("address_message", body, {"name": "address_message", "parameters": parameters})


def call(body: Body) -> Content:
    given = {"display_text": body.get("button"), "ttl_minutes": body.get("ttl_minutes")}
    parameters = {name: value for name, value in given.items() if value}
    return interactive("voice_call", body, action("voice_call", parameters))


def call_permission(body: Body) -> Content:
    return interactive("call_permission_request", body, {"name": "call_permission_request"})


def interactive(kind: str, body: Body, act: Body) -> Content:
    """An interactive message, with header, text and footer as far as the body has them."""
    content: Body = {"type": kind}
    if body.get("header"):
        content["header"] = header(body["header"])
    if body.get("text"):
        content["body"] = {"text": body["text"]}
    if body.get("footer"):
        content["footer"] = {"text": body["footer"]}
    return Content("interactive", content | {"action": act})


def header(given: Body) -> Body:
    kind = string(given, "type")
    return {"type": kind, kind: given["text"] if kind == "text" else named(given["media"])}


def reply_button(given: Body) -> Body:
    return {"type": "reply", "reply": {"id": given["id"], "title": given["title"]}}


def url_action(given: Body) -> Body:
    return action("cta_url", {"display_text": string(given, "button"), "url": string(given, "url")})


def action(name: str, parameters: Body) -> Body:
    return {"name": name} | ({"parameters": parameters} if parameters else {})
