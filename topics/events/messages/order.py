"""Orders from a catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Number


class OrderItem(EventModel):
    """Some of one product. Numbers may come as strings."""

    product_retailer_id: str
    quantity: Number = 1
    item_price: Number = 0
    currency: str | None = None

    @property
    def amount(self) -> Decimal:
        """Exact: the price as it was written, times the quantity."""
        return Decimal(str(self.item_price)) * Decimal(str(self.quantity))


class OrderContent(EventModel):
    """The items of an order and their catalogue."""

    catalog_id: str | None = None
    text: str | None = Field(None, repr=False)
    product_items: list[OrderItem] = Field(default_factory=list)


class OrderMessage(MessageBase):
    """A basket that was sent. A provider fills `order.product_items`, and the catalogue where there is one."""

    type: Literal["order"]
    order: OrderContent

    @property
    def catalog_id(self) -> str | None:
        """The id of the catalogue."""
        return self.order.catalog_id

    @property
    def order_text(self) -> str | None:
        """The text beside the order, if there is one."""
        return self.order.text

    @property
    def has_order_text(self) -> bool:
        """True if there is a text beside the order."""
        return bool(self.order.text)

    @property
    def total_amount(self) -> float:
        """Over all items, whatever their currency: see `is_multi_currency`."""
        return _sum(self.order.product_items)

    @property
    def item_count(self) -> float:
        """Pieces, over all products."""
        return sum(item.quantity for item in self.order.product_items)

    @property
    def unique_products(self) -> int:
        """The number of different products."""
        return len({item.product_retailer_id for item in self.order.product_items})

    @property
    def currencies(self) -> list[str]:
        """In the order of the items, each once."""
        return list(dict.fromkeys(item.currency for item in self.order.product_items if item.currency))

    @property
    def is_multi_currency(self) -> bool:
        """True if the items have different currencies."""
        return len(self.currencies) > 1

    def get_products(self) -> list[dict[str, Any]]:
        """Return the items as dicts, in order."""
        return [item.model_dump(exclude_unset=True) for item in self.order.product_items]

    def get_product_by_id(self, product_id: str) -> dict[str, Any] | None:
        """Return the first item of a product as a dict; None if there is none."""
        return next((each for each in self.get_products() if each["product_retailer_id"] == product_id), None)

    def get_total_by_currency(self) -> dict[str, float]:
        """Return the sum of price times quantity for each currency."""
        items = self.order.product_items
        return {each: _sum(item for item in items if item.currency == each) for each in self.currencies}


def _sum(items: Iterable[OrderItem]) -> float:
    return float(sum((item.amount for item in items), Decimal()))
