"""The names of rows in a store: `{tenant}:kind:owner:key`.

The braces are a Redis Cluster hash tag: all rows of a tenant share a slot, so that one script may change several.
Everything before the key is either fixed or escaped, so no contact and no key can reach another one's rows. The key
itself comes last and stays as the user wrote it.

Rows that can be listed are in groups, which backends keep beside them: looking for a tenant's rows among all others
would cost as much as the whole store is large.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from pipeline.unicode import well_formed

OWN: Final = "@self"
"""The key of the one row that a cache has without naming a key, as in Wappa 0.31."""

_LISTED: Final = frozenset({"state", "table", "aistate", "expiry"})


_SPACE: Final = "/"
"""Between a tenant and an agent. Neither's id contains it."""


def agent_space(tenant: str, agent: str) -> str:
    """Return the name in place of the tenant's for the rows of an agent beside the handlers.

    They are in a slot of their own, so that an agent's unit of work never meets a handler's, nor another agent's.
    """
    return f"{tenant}{_SPACE}{agent}"


def tenant_of(space: str) -> str:
    """Return the tenant of an agent's space; of a tenant, itself."""
    return space.partition(_SPACE)[0]


def user_key(tenant: str, contact: str, key: str) -> str:
    """Return the name of a row of a contact."""
    return f"{_tag(tenant)}:user:{_part(contact)}:{_key(key)}"


def state_key(tenant: str, contact: str, key: str) -> str:
    """Return the name of a state of a contact's conversation."""
    return f"{_tag(tenant)}:state:{_part(contact)}:{_key(key)}"


def table_key(tenant: str, key: str) -> str:
    """Return the name of a row of the tenant."""
    return f"{_tag(tenant)}:table:{_key(key)}"


def ai_state_key(tenant: str, contact: str, agent: str) -> str:
    """Return the name of an agent's state of a contact's conversation."""
    return f"{_tag(tenant)}:aistate:{_part(contact)}:{_key(agent)}"


def expiry_key(tenant: str, identifier: str, action: str) -> str:
    """Return the name of a deadline."""
    return f"{_tag(tenant)}:expiry:{_part(identifier)}:{_key(action)}"


def unit_key(tenant: str, event_id: str) -> str:
    """Return the name of the record of a finished event."""
    return f"{_tag(tenant)}:unit:{_key(event_id)}"


def idempotency_key(tenant: str, event_id: str) -> str:
    """Return the name of the record of what was sent under an idempotency key."""
    return f"{_tag(tenant)}:idempotency:{_key(event_id)}"


def media_key(tenant: str, account: str, name: str) -> str:
    """Return the name of the row about one medium of an account."""
    return f"{_tag(tenant)}:media:{_part(account)}:{_key(name)}"


def row_id(table: str, pkid: str) -> str:
    """Return the key of a table's row by table and primary key."""
    return f"{_part(table)}:{_key(pkid)}"


def group(tenant: str, kind: str, owner: str | None = None) -> str:
    """Return the group of the rows of one kind (`state`, `table`, …), or of one contact, table or identifier in it."""
    return f"{_tag(tenant)}:group:{kind}" + ("" if owner is None else f":{_part(owner)}")


def groups(name: str) -> tuple[str, ...]:
    """Return the groups that a row is in, all in its slot.

    Table rows are in one if they have a table and a primary key.
    """
    tag, kind, *rest = name.split(":", 3)
    if len(rest) == 2 and kind in _LISTED:
        return f"{tag}:group:{kind}", f"{tag}:group:{kind}:{rest[0]}"
    return (f"{tag}:group:{kind}",) if kind == "user" and rest[1:] == [OWN] else ()


def owner_and_key(name: str) -> tuple[str, str]:
    """Return owner and key of a row that is in a group."""
    _, _, owner, key = name.split(":", 3)
    return unquote(owner), key


def _tag(tenant: str) -> str:
    return f"{{{_part(tenant)}}}"


@lru_cache(4096)
def _part(text: str) -> str:
    if not text:
        raise ValueError("a cache needs to know whose it is: the contact or table name is empty")
    return quote(well_formed(text), safe="@+")


def _key(text: str) -> str:
    if not isinstance(text, str) or not text:
        raise ValueError("a cache key is a string of at least one character")
    return well_formed(text)
