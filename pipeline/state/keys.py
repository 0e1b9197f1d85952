"""The names of rows in a store: `{tenant}:kind:owner:key`.

The braces are a Redis Cluster hash tag: all rows of a tenant share a slot, so that one script may change several.
Everything before the key is either fixed or escaped, so no contact and no key can reach another one's rows. The key
itself comes last and stays as the user wrote it.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote


def user_key(tenant: str, contact: str, key: str) -> str:
    return f"{_tag(tenant)}:user:{_part(contact)}:{_key(key)}"


def state_key(tenant: str, contact: str, key: str) -> str:
    return f"{_tag(tenant)}:state:{_part(contact)}:{_key(key)}"


def table_key(tenant: str, key: str) -> str:
    return f"{_tag(tenant)}:table:{_key(key)}"


def unit_key(tenant: str, event_id: str) -> str:
    """Where the record of a finished event is."""
    return f"{_tag(tenant)}:unit:{_key(event_id)}"


def media_key(tenant: str, account: str, name: str) -> str:
    """What is known of one medium of an account."""
    return f"{_tag(tenant)}:media:{_part(account)}:{_key(name)}"


def row_id(table: str, pkid: str) -> str:
    """The key of one row of a table that is named by table and primary key."""
    return f"{_part(table)}:{_key(pkid)}"


def _tag(tenant: str) -> str:
    return f"{{{_part(tenant)}}}"


@lru_cache(4096)
def _part(text: str) -> str:
    if not text:
        raise ValueError("a cache needs to know whose it is: the contact or table name is empty")
    return quote(text, safe="@+")


def _key(text: str) -> str:
    if not isinstance(text, str) or not text:
        raise ValueError("a cache key is a string of at least one character")
    return text
