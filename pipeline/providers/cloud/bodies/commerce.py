"""Flows, products, catalogues and carousels."""

from __future__ import annotations

from typing import Final

from pipeline.providers.cloud.bodies.basic import string
from pipeline.providers.cloud.bodies.envelope import MessageContent
from pipeline.providers.cloud.bodies.interactive import action, header, interactive, url_action
from pipeline.topics.types import Json

FLOW_VERSION: Final = "3"
"""Version of flow messages, not of Flow JSON. Meta accepts no other."""


def flow(body: Json) -> MessageContent:
    parameters = {"flow_message_version": FLOW_VERSION, **body["flow"], "flow_cta": string(body, "button")}
    return interactive("flow", body, action("flow", parameters))


def product(body: Json) -> MessageContent:
    named = ("catalog_id", "product_retailer_id")
    return interactive("product", body, {name: string(body, name) for name in named})


def products(body: Json) -> MessageContent:
    sections = [_section(each) for each in body["sections"]]
    return interactive("product_list", body, {"catalog_id": string(body, "catalog_id"), "sections": sections})


def _section(given: Json) -> Json:
    items = [{"product_retailer_id": each} for each in given["product_retailer_ids"]]
    return {"title": given["title"], "product_items": items}


def catalog(body: Json) -> MessageContent:
    thumbnail = body.get("thumbnail_product_retailer_id")
    parameters = {"thumbnail_product_retailer_id": thumbnail} if thumbnail else {}
    return interactive("catalog_message", body, action("catalog_message", parameters))


def carousel(body: Json) -> MessageContent:
    cards = [_card(number, each) for number, each in enumerate(body["cards"])]
    return interactive("carousel", body, {"cards": cards})


def _card(number: int, given: Json) -> Json:
    # Meta calls every card a `cta_url`, those with quick replies too.
    card: Json = {"card_index": number, "type": "cta_url", "header": header(given["header"])}
    if given.get("text"):
        card["body"] = {"text": given["text"]}
    return card | {"action": url_action(given["cta"]) if given.get("cta") else _quick_replies(given["buttons"])}


def _quick_replies(buttons: list[Json]) -> Json:
    return {"buttons": [{"type": "quick_reply", "quick_reply": {"id": b["id"], "title": b["title"]}} for b in buttons]}
