"""The least that typed parsing costs: pydantic models of exactly the webhook that is parsed, and nothing else done.

They refuse or drop whatever else a webhook may hold, make one object of the first message only, and no id, key or time.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field, TypeAdapter


class Profile(BaseModel):
    name: str
    username: str | None = None


class Contact(BaseModel):
    profile: Profile
    wa_id: str
    user_id: str | None = None


class Text(BaseModel):
    body: str


class Message(BaseModel):
    from_: str = Field(alias="from")
    from_user_id: str | None = None
    id: str
    timestamp: int
    type: str
    text: Text


class Metadata(BaseModel):
    display_phone_number: str
    phone_number_id: str


class Value(BaseModel):
    messaging_product: str
    metadata: Metadata
    contacts: list[Contact]
    messages: list[Message]


class Change(BaseModel):
    field: str
    value: Value


class Entry(BaseModel):
    id: str
    changes: list[Change]


class Webhook(BaseModel):
    object: str
    entry: list[Entry]


WEBHOOK: Final = TypeAdapter(Webhook)
