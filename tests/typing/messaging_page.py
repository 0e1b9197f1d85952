"""The code of docs/messaging.md, written by `python -m tests.support.sends`."""

# ruff: noqa
# fmt: off
# pyright: reportDuplicateImport=false
from __future__ import annotations

from pipeline import EventHandler, MessageEvent, StatusEvent


class Block11(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        result = await self.messenger.send_text("Your table is ready.", webhook.user.user_id)
        if not result.success:
            self.logger.warning("refused", code=result.error_code, why=result.error)


class Block60(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        from datetime import timedelta

        await self.messenger.send_text(
            "Fresh scones until noon.",
            webhook.user.user_id,
            priority="bulk",
            expires_in=timedelta(hours=2),
            campaign="scones",
            tags=["bakery"],
        )


class Block91(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        sent = await self.messenger.send_text(
            "Scones: https://shop.example/scones",
            webhook.user.user_id,
            disable_preview=True,
        )
        await self.messenger.send_text(
            "Shall we keep you two?",
            webhook.user.user_id,
            reply_to_message_id=sent.message_id,
        )


class Block117(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.mark_as_read(webhook.message.message_id, typing=True)


class Block149(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_image(
            "https://shop.example/scones.jpg",
            webhook.user.user_id,
            caption="Out of the oven",
        )


class Block179(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_video(
            {"link": "https://shop.example/oven.mp4"},
            webhook.user.user_id,
            caption="Look",
        )


class Block210(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_audio(
            "https://shop.example/jingle.mp3",
            webhook.user.user_id,
        )


class Block237(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_voice(
            b"OggS...",
            webhook.user.user_id,
            mime_type="audio/ogg; codecs=opus",
        )


class Block265(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_document(
            b"%PDF-1.7 ...",
            webhook.user.user_id,
            filename="bill-17.pdf",
            caption="Your bill",
        )


class Block296(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_sticker(
            "https://shop.example/scone.webp",
            webhook.user.user_id,
        )


class Block328(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        from pipeline.handlers import ReplyButton

        await self.messenger.send_button_message(
            [ReplyButton(id="yes", title="Yes"), ReplyButton(id="no", title="No, thanks")],
            webhook.user.user_id,
            "Shall we keep you two scones?",
            header="Today",
            footer="Until noon",
        )


class Block369(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        from pipeline.handlers import ListRow, ListSection

        await self.messenger.send_list_message(
            [
                ListSection(
                    title="Sweet",
                    rows=[ListRow(id="scone", title="Scone", description="With cream")],
                ),
                ListSection(title="Savoury", rows=[ListRow(id="pasty", title="Pasty")]),
            ],
            webhook.user.user_id,
            "What would you like?",
            button_text="Menu",
            header="The bakery",
            footer="Until noon",
        )


class Block419(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_cta_message(
            "Track it",
            "https://shop.example/track/17",
            webhook.user.user_id,
            "Your parcel is on its way.",
            header="Order 17",
            footer="The bakery",
        )


class Block455(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_location_request(
            "Where shall we deliver?",
            webhook.user.user_id,
        )


class Block480(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_contact_request(
            "May we have your number, for the courier?",
            webhook.user.user_id,
        )


class Block508(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_address_request(
            "Where shall we deliver?",
            webhook.user.user_id,
            values={"name": "Ana", "phone_number": "+911234567890"},
            saved_addresses=[{"id": "home", "value": {"name": "Ana", "city": "Pune"}}],
        )


class Block537(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_call_permission_request(
            "May we call you about your order?",
            webhook.user.user_id,
        )


class Block564(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_call_button(
            "Questions? Call us.",
            webhook.user.user_id,
            button_text="Call",
            ttl_minutes=60,
        )


class Block597(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_flow(
            {
                "flow_id": "1122334455",
                "flow_token": webhook.event_id,
                "flow_action": "navigate",
                "mode": "published",
            },
            webhook.user.user_id,
            "Tell us about your party.",
            button_text="Begin",
            header="Catering",
            footer="Two minutes",
        )


class Block637(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_poll(
            "Which day?",
            ["Friday", "Saturday"],
            webhook.user.user_id,
            multiple=True,
        )


class Block671(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_location(
            37.48,
            -122.14,
            webhook.user.user_id,
            name="The bakery",
            address="Main Street 1",
        )


class Block700(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        ana = {
            "name": {"formatted_name": "Ana Silva", "first_name": "Ana"},
            "phones": [{"phone": "+15550003333", "type": "WORK", "wa_id": "15550003333"}],
            "emails": [{"email": "ana@shop.example"}],
            "org": {"company": "The bakery"},
        }
        await self.messenger.send_contact(ana, webhook.user.user_id)


class Block731(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        ana = {
            "name": {"formatted_name": "Ana", "first_name": "Ana"},
            "phones": [{"phone": "+15550003333"}],
        }
        bo = {
            "name": {"formatted_name": "Bo", "first_name": "Bo"},
            "phones": [{"phone": "+15550004444"}],
        }
        await self.messenger.send_contacts([ana, bo], webhook.user.user_id)


class Block762(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        group = "Y2FwaV9ncm91cDoxMjM0NTY3ODkwWkQ"
        await self.messenger.send_group_invite(
            group,
            webhook.user.user_id,
            body="Join our regulars:",
        )


class Block797(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_catalog(
            "All we bake.",
            webhook.user.user_id,
            thumbnail_product_retailer_id="scone",
            footer="Daily",
        )


class Block826(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_product(
            "9988776655",
            "scone",
            webhook.user.user_id,
            body="With cream",
            footer="Daily",
        )


class Block859(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        from pipeline.handlers import ProductSection

        await self.messenger.send_products(
            "9988776655",
            [ProductSection(title="Sweet", product_retailer_ids=["scone", "bun"])],
            webhook.user.user_id,
            header="Today",
            body="Fresh from the oven.",
            footer="Until noon",
        )


class Block894(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        cards = [
            {
                "header": {
                    "type": "image",
                    "image": {"link": f"https://shop.example/{name}.jpg"},
                },
                "body": f"{name.title()}, fresh",
                "buttons": [{"id": f"take-{name}", "title": "I take it"}],
            }
            for name in ("scone", "bun")
        ]
        await self.messenger.send_carousel("Today we have", cards, webhook.user.user_id)


class Bakery(EventHandler):
    template_language = "en_GB"

    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text_template("welcome", webhook.user.user_id)
        await self.messenger.send_text_template(
            "welcome",
            webhook.user.user_id,
            language_code="pt_BR",
        )


class Block966(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text_template(
            "order_shipped",
            webhook.user.user_id,
            ["Ana", "17"],
            "en_US",
            template_type="utility",
        )
        await self.messenger.send_text_template(
            "table_ready",
            webhook.user.user_id,
            [{"type": "text", "parameter_name": "name", "text": "Ana"}],
            "en_US",
            template_type="utility",
        )


class Block985(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text_template(
            "login_code",
            webhook.user.user_id,
            ["471102"],
            "en_US",
            template_type="authentication",
            authentication_method="copy_code",
        )


class Block1028(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_media_template(
            "parcel_photo",
            webhook.user.user_id,
            media_type="image",
            media_url="https://shop.example/parcel.jpg",
            body_parameters=["Ana"],
            language_code="en_US",
            template_type="utility",
        )


class Block1069(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_location_template(
            "pick_up",
            webhook.user.user_id,
            latitude=37.48,
            longitude=-122.14,
            name="The bakery",
            address="Main Street 1",
            body_parameters=["Ana"],
            language_code="en_US",
            template_type="utility",
        )


class Block1111(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        price = {"fallback_value": "€ 4.50", "code": "EUR", "amount_1000": 4500}
        await self.messenger.send_template(
            "bill",
            webhook.user.user_id,
            [
                {"type": "header", "parameters": [{"type": "text", "text": "17"}]},
                {
                    "type": "body",
                    "parameters": [
                        {"type": "currency", "currency": price},
                        {"type": "date_time", "date_time": {"fallback_value": "24 December"}},
                    ],
                },
            ],
            "en_US",
            template_type="utility",
        )


from typing import Any


def button(kind: str, index: int, parameter: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "button",
        "sub_type": kind,
        "index": str(index),
        "parameters": [parameter],
    }


class Shipping(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        buttons = [
            button("url", 0, {"type": "text", "text": "orders/17"}),
            button("quick_reply", 1, {"type": "payload", "payload": "cancel-17"}),
            button("copy_code", 2, {"type": "coupon_code", "coupon_code": "SCONE25"}),
            button(
                "flow",
                3,
                {"type": "action", "action": {"flow_token": webhook.event_id}},
            ),
        ]
        await self.messenger.send_template(
            "order",
            webhook.user.user_id,
            buttons,
            "en_US",
        )


class Catering(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        picture = {"thumbnail_product_retailer_id": "scone"}
        sweet = {
            "title": "Sweet",
            "product_items": [{"product_retailer_id": "scone"}],
        }
        catalog = button("catalog", 0, {"type": "action", "action": picture})
        several = button(
            "mpm",
            0,
            {"type": "action", "action": {**picture, "sections": [sweet]}},
        )
        await self.messenger.send_template(
            "all_we_bake",
            webhook.user.user_id,
            [catalog],
            "en_US",
        )
        await self.messenger.send_template(
            "for_tea",
            webhook.user.user_id,
            [several],
            "en_US",
        )


class Offers(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        ends = {
            "type": "limited_time_offer",
            "limited_time_offer": {"expiration_time_ms": 1798761600000},
        }
        offer = [
            {"type": "limited_time_offer", "parameters": [ends]},
            button("url", 0, {"type": "text", "text": "25"}),
        ]
        await self.messenger.send_template(
            "ends_soon",
            webhook.user.user_id,
            offer,
            "en_US",
        )

        def card(number: int, name: str) -> dict[str, Any]:
            picture = {
                "type": "image",
                "image": {"link": f"https://shop.example/{name}.jpg"},
            }
            parts = [
                {"type": "header", "parameters": [picture]},
                {"type": "body", "parameters": [{"type": "text", "text": name}]},
                button("quick_reply", 0, {"type": "payload", "payload": name}),
            ]
            return {"card_index": number, "components": parts}

        cards = {"type": "carousel", "cards": [card(0, "scone"), card(1, "bun")]}
        await self.messenger.send_template(
            "side_by_side",
            webhook.user.user_id,
            [cards],
            "en_US",
        )


class Block1255(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_reaction(
            "👍",
            webhook.message.message_id,
            webhook.user.user_id,
        )


class Block1276(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.remove_reaction(webhook.message.message_id, webhook.user.user_id)


class Block1287(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        sent = await self.messenger.send_text("Two scones, € 5.", webhook.user.user_id)
        if sent.message_id:
            await self.messenger.edit_message(
                sent.message_id,
                "Two scones, € 4.50.",
                webhook.user.user_id,
            )


class Block1310(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        sent = await self.messenger.send_text("The oven is broken.", webhook.user.user_id)
        if sent.message_id:
            await self.messenger.delete_message(sent.message_id, webhook.user.user_id)


class Block1323(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.forward_message(webhook.message.message_id, "15550002222")


class Block1339(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        from datetime import timedelta

        chat = webhook.message.group_id or webhook.user.user_id
        await self.messenger.pin_message(
            webhook.message.message_id,
            chat,
            pin_for=timedelta(days=7),
        )


class Block1363(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        chat = webhook.message.group_id or webhook.user.user_id
        await self.messenger.unpin_message(webhook.message.message_id, chat)


from pipeline.topics.events.messages import LocationMessage, MediaMessage


class Reader(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        match webhook.message:
            case LocationMessage() as place:
                answer = f"You are at {place.latitude}, {place.longitude}"
            case MediaMessage() as file:
                answer = f"You sent a file of type {file.mime_type}"
            case _:
                answer = f"You wrote {webhook.get_message_text()}"
        await self.messenger.send_text(answer, webhook.user.user_id)


class Block1402(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        chosen = webhook.get_interactive_selection()
        if chosen is None:
            buttons = [
                {"id": "take-scone", "title": "A scone"},
                {"id": "take-bun", "title": "A bun"},
            ]
            await self.messenger.send_button_message(
                buttons,
                webhook.user.user_id,
                "What would you like?",
            )
        elif chosen.startswith("take-"):
            await self.messenger.send_text(
                f"One {chosen.removeprefix('take-')}, coming up.",
                webhook.user.user_id,
            )


class Orders(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        orders = self.cache_factory.create_user_cache()
        quoted = webhook.message.original_message_id
        if quoted and (order := await orders.get(f"message-{quoted}")):
            await self.messenger.send_text(
                f"About order {order['number']}, then.",
                webhook.user.user_id,
            )
            return
        sent = await self.messenger.send_text(
            "Order 17 is ready.",
            webhook.user.user_id,
        )
        await orders.set(f"command-{sent.command_id}", {"number": 17}, ttl=86400)

    async def process_status(self, webhook: StatusEvent) -> None:
        orders = self.cache_factory.create_user_cache()
        if order := await orders.get(f"command-{webhook.command_id}"):
            await orders.set(f"message-{webhook.message_id}", order, ttl=86400)


from pipeline.topics.events.messages import MediaMessage


class Gallery(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        if not isinstance(webhook.message, MediaMessage):
            return
        picture = await self.messenger.media_handler.get_media_as_bytes(
            webhook.message.media_id,
        )
        if picture.success:
            answer = f"{picture.file_size} bytes of {picture.mime_type}"
        else:
            answer = f"We could not open it ({picture.error_code})."
        await self.messenger.send_text(answer, webhook.user.user_id)


class Archive(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        if not isinstance(webhook.message, MediaMessage):
            return
        media, media_id = self.messenger.media_handler, webhook.message.media_id
        async with media.download_media_tempfile(media_id) as picture:
            self.logger.info(
                "kept for now",
                path=picture.file_path,
                sha256=picture.sha256,
            )
        info = await media.get_media_info(media_id)
        if info.success:
            size = sum([len(chunk) async for chunk in media.stream_media(media_id)])
            await self.messenger.send_text(
                f"{size} of {info.file_size} bytes",
                webhook.user.user_id,
            )
