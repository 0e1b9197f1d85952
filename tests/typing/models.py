"""The models of the handlers that are type-checked."""

from __future__ import annotations

from pydantic import BaseModel


class Profile(BaseModel):
    """A user's row."""

    name: str
    visits: int = 0


class Order(BaseModel):
    """A row of the table `orders`."""

    item: str
    count: int = 1
