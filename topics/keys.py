"""Partition keys: which records must stay in order with each other.

conversation  `provider:account:contact`, or `provider:account` for events of the account itself
account       `provider:account`
"""

from __future__ import annotations


def account_key(provider: str, account: str) -> str:
    return f"{provider}:{account}"


def account_of(key: str) -> str:
    """Return the account's key of a conversation key, or of an account's key."""
    return ":".join(key.split(":", 2)[:2])


def conversation_key(provider: str, account: str, contact: str | None) -> str:
    return f"{provider}:{account}:{contact}" if contact else account_key(provider, account)
