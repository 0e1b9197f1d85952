"""Sends of shops and forms: catalogue, products, carousel, flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from pipeline.errors import Unsendable
from pipeline.handlers.outbound import checks
from pipeline.handlers.outbound.headers import Header, header_of, text_header
from pipeline.handlers.outbound.interactive import framed, reply_buttons
from pipeline.handlers.outbound.models import CarouselCard, ProductSection
from pipeline.handlers.outbound.sender_mixin import Body, SenderMixin, SendOptions
from pipeline.handlers.results import SendResult
from pipeline.topics.commands import CommandKind

_FLOW: Final = {"mode": ("published", "draft"), "flow_action": ("navigate", "data_exchange")}
PRODUCTS = 30
"""Maximum number of products of a list, over all of its sections."""


class CommerceSender(SenderMixin):
    """Sends that Wappa does not offer. Names as in PyWa where it has them."""

    async def send_catalog(
        self,
        body: str,
        recipient: str,
        thumbnail_product_retailer_id: str | None = None,
        footer: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a button that opens the whole catalogue; the thumbnail is a product's picture."""
        what = (body, thumbnail_product_retailer_id, footer)
        return self._send(CommandKind.CATALOG, recipient, reply_to_message_id, options, catalog_body, *what)

    async def send_product(
        self,
        catalog_id: str,
        product_retailer_id: str,
        recipient: str,
        body: str | None = None,
        footer: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send one product of a catalogue."""
        what = (catalog_id, product_retailer_id, body, footer)
        return self._send(CommandKind.PRODUCT, recipient, reply_to_message_id, options, product_body, *what)

    async def send_products(
        self,
        catalog_id: str,
        sections: Sequence[ProductSection | Mapping[str, Any]],
        recipient: str,
        header: str,
        body: str,
        footer: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send 1 to 30 products in 1 to 10 sections. The text header is required."""
        what = (catalog_id, sections, header, body, footer)
        return self._send(CommandKind.PRODUCTS, recipient, reply_to_message_id, options, products_body, *what)

    async def send_carousel(
        self,
        body: str,
        cards: Sequence[CarouselCard | Mapping[str, Any]],
        recipient: str,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send 2 to 10 cards side by side, all with the same number and kind of buttons."""
        return self._send(CommandKind.CAROUSEL, recipient, reply_to_message_id, options, carousel_body, body, cards)

    async def send_flow(
        self,
        flow: Mapping[str, Any],
        recipient: str,
        body: str,
        button_text: str,
        header: Header = None,
        footer: str | None = None,
        reply_to_message_id: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a form.

        Args:
            flow: the parameters of Meta's flow action: `flow_id` or `flow_name`, `flow_token`, and optionally
                `mode` (published, draft), `flow_action` (navigate, data_exchange), `flow_action_payload`.
            recipient: the recipient.
            body: the text above the button.
            button_text: the title of the button.
            header: a text or medium above the body.
            footer: a text below the body.
            reply_to_message_id: the message that it replies to.
            options: see `SendOptions`.
        """
        what = (flow, body, button_text, header, footer)
        return self._send(CommandKind.FLOW, recipient, reply_to_message_id, options, flow_body, *what)


def catalog_body(body: object, thumbnail: object, footer: object) -> Body:
    """Return the body of a catalogue."""
    sku = checks.optional("thumbnail's product id", thumbnail, 1024)
    return framed(body, None, footer) | checks.given(thumbnail_product_retailer_id=sku)


def product_body(catalog_id: object, sku: object, body: object, footer: object) -> Body:
    """Return the body of a product."""
    return checks.given(
        catalog_id=checks.text("catalogue id", catalog_id, 1024),
        product_retailer_id=checks.text("product id", sku, 1024),
        text=checks.optional("body", body, checks.BODY, "BODY_TOO_LONG"),
        footer=checks.optional("footer", footer, checks.SHORT, "FOOTER_TOO_LONG"),
    )


def products_body(catalog_id: object, sections: object, header: object, body: object, footer: object) -> Body:
    """Return the body of a list of products."""
    made = [product_section(each) for each in checks.items("sections", sections, 1, 10, "TOO_MANY_SECTIONS")]
    count = sum(len(each["product_retailer_ids"]) for each in made)
    if count > PRODUCTS:
        raise Unsendable(f"there are {count} products: WhatsApp takes {PRODUCTS} over all sections")
    above = text_header(header)
    if above is None:
        raise Unsendable("a list of products needs a header of text", "INVALID_TEXT_HEADER")
    return framed(body, above, footer, catalog_id=checks.text("catalogue id", catalog_id, 1024), sections=made)


def product_section(value: object) -> Body:
    """Return one section of a list of products."""
    given = checks.model(ProductSection, value)
    ids = [checks.text("product id", each, 1024) for each in given.product_retailer_ids]
    return {
        "title": checks.text("section's title", given.title, 24, "SECTION_TITLE_TOO_LONG"),
        "product_retailer_ids": list(checks.items("products of a section", ids, 1, PRODUCTS)),
    }


def carousel_body(body: object, cards: object) -> Body:
    """Return the body of a carousel."""
    made = [card(each) for each in checks.items("cards", cards, 2, 10)]
    if len({(bool(each.get("cta")), len(each.get("buttons", ()))) for each in made}) > 1:
        raise Unsendable("the cards differ in their buttons: give all as many, of the same kind")
    return {"text": checks.body_text(body), "cards": made}


def card(value: object) -> Body:
    """Return one card of a carousel."""
    given = checks.model(CarouselCard, value)
    header = header_of(given.header)
    if header is None or header["type"] not in ("image", "video"):
        raise Unsendable("a card's header is an image or a video", "INVALID_HEADER_TYPE")
    return checks.given(header=header, text=card_text(given.body)) | card_action(given)


def card_text(value: object) -> str | None:
    """Return the text of a card, if it has one."""
    text = checks.optional("card's body", value, 160, "BODY_TOO_LONG")
    if text and text.count("\n") > 2:
        raise Unsendable("a card's body has more than 2 line breaks", "BODY_TOO_LONG")
    return text


def card_action(given: CarouselCard) -> Body:
    """Return the buttons or the link of a card."""
    if bool(given.buttons) == bool(given.button_url):
        raise Unsendable("a card has either buttons, or button_text and button_url")
    if given.buttons:
        return {"buttons": reply_buttons("buttons of a card", given.buttons)}
    title = checks.text("button's text", given.button_text, checks.BUTTON, "BUTTON_TEXT_TOO_LONG")
    return {"cta": {"button": title, "url": checks.url(given.button_url)}}


def flow_body(flow: object, body: object, button_text: object, header: object, footer: object) -> Body:
    """Return the body of a form."""
    parameters = checks.mapping("flow", flow)
    if bool(parameters.get("flow_id")) == bool(parameters.get("flow_name")):
        raise Unsendable("the flow is named by exactly one of flow_id and flow_name")
    for name, known in _FLOW.items():
        if parameters.get(name, known[0]) not in known:
            raise Unsendable(f"the flow's {name} is none of {', '.join(known)}")
    title = checks.text("flow's button", button_text, checks.BUTTON, "BUTTON_TEXT_TOO_LONG")
    return framed(body, header, footer, button=title, flow=parameters)
