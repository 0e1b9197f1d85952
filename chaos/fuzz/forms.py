"""Well-formed webhooks of many kinds, as trees, for others to spoil. Each part says its mark in its id and content."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any, Final

from chaos.accounts import NUMBERS, Number

Tree = dict[str, Any]


def webhook(*values: Tree, number: Number = NUMBERS[0], field: str = "messages") -> Tree:
    """Return one entry with a change for each value."""
    changes = [{"value": value, "field": field} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": number.business, "changes": changes}]}


def container(number: Number = NUMBERS[0], **lists: list[Any]) -> Tree:
    """Return a value that speaks of a number."""
    metadata = {"display_phone_number": f"1444{number.id}", "phone_number_id": number.id}
    return {"messaging_product": "whatsapp", "metadata": metadata, **lists}


def person(phone: str, mark: str) -> Tree:
    return {"profile": {"name": f"Ana {mark}"}, "wa_id": phone}


def message(mark: str, phone: str = "15550001111", text: str = "hello") -> Tree:
    body = {"body": f"{text} {mark}"}
    return {"from": phone, "id": f"wamid.fuzz.{mark}", "timestamp": "1760000000", "type": "text", "text": body}


def written(mark: str, **content: Any) -> Tree:
    """Return a text message; or what is given in its stead."""
    item = message(mark) | content
    return webhook(container(contacts=[person(item["from"], mark)], messages=[item]))


def any_form(mark: str, rng: Random) -> Tree:
    """Return one of all."""
    return rng.choice(_FORMS)(mark)


def _status(mark: str) -> Tree:
    pricing = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}
    return webhook(container(statuses=[status(mark) | {"pricing": pricing, "biz_opaque_callback_data": f"cmd-{mark}"}]))


def _failed(mark: str) -> Tree:
    error = {"code": 131026, "title": "Message undeliverable", "error_data": {"details": mark}}
    return webhook(container(statuses=[status(mark, "failed") | {"errors": [error]}]))


def status(mark: str, name: str = "delivered") -> Tree:
    return {"id": f"wamid.fuzz.{mark}", "status": name, "timestamp": "1760000001", "recipient_id": "15550001111"}


def _typed(kind: str, content: Any) -> Callable[[str], Tree]:
    def form(mark: str) -> Tree:
        item = {name: value for name, value in message(mark).items() if name != "text"}
        return webhook(
            container(contacts=[person(item["from"], mark)], messages=[item | {"type": kind, kind: deepcopy(content)}])
        )

    return form


def _template(mark: str) -> Tree:
    value = {"event": "APPROVED", "message_template_id": int(mark), "message_template_name": mark, "reason": None}
    return webhook(value, field="message_template_status_update")


def _errors(mark: str) -> Tree:
    return webhook(container(errors=[{"code": 130429, "title": mark, "message": "rate"}]))


def _unowned(mark: str) -> Tree:
    stranger = Number("nobody", "990099", "880099")
    return webhook(container(stranger, messages=[message(mark)]), number=stranger)


def _new(mark: str) -> Tree:
    return webhook(container(inventions=[{"id": mark}, {"id": f"{mark}-again"}]), field="inventions")


_FORMS: Final = (
    written,
    written,
    _status,
    _failed,
    _typed("image", {"id": "1", "mime_type": "image/jpeg", "sha256": "x", "caption": "y"}),
    _typed("reaction", {"message_id": "wamid.x", "emoji": "\U0001f44d"}),
    _typed("interactive", {"type": "button_reply", "button_reply": {"id": "a", "title": "b"}}),
    _typed("location", {"latitude": 1.5, "longitude": -2.5}),
    _typed("contacts", [{"name": {"formatted_name": "Ben"}, "phones": [{"phone": "+1 555"}]}]),
    _typed("order", {"catalog_id": "1", "product_items": [{"product_retailer_id": "p", "quantity": 1}]}),
    _typed("system", {"body": "changed", "type": "user_changed_number", "wa_id": "15550002222"}),
    _typed("unsupported", {"type": "unknown"}),
    _template,
    _errors,
    _unowned,
    _new,
)
