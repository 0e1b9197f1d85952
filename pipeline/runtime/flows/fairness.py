"""Fairness: the groups and keys among which a concurrent stage divides its window and its slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FairKey = tuple[str, str]
"""A group and a key in it: a tenant or an account, and a conversation. One tuple per record, so no named one."""
NO_FAIR_KEY: FairKey = ("", "")
DEFAULT_WEIGHT = 1.0


def group_key(group: str) -> FairKey:
    """Return the key that stands for a group as a whole. No record has it."""
    return group, ""


def _always(_partition: int) -> bool:
    return True


def _group_of(fair_key: FairKey) -> str:
    return fair_key[0]


def _itself(group: str) -> str:
    return group


def _equal(_group: str) -> float:
    return DEFAULT_WEIGHT


def _several() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Fairness:
    """What the records of a stage are counted by, so that they share fairly.

    Records of one ordering key must have one fairness key.

    Attributes:
        key: returns the group and the key of a value.
        weight: returns the share of a group, relative to the others.
        has_groups: returns True if there is more than one group. A single one may use everything.
        account: returns the account that a key belongs to, a name that may stand in metrics.
        owner: returns the tenant that a group belongs to.
        is_shared: returns True if a partition holds more than one group. A group that is alone there is in nobody's
            way, so it is not parked as a whole.
    """

    key: Callable[[Any], FairKey]
    weight: Callable[[str], float] = _equal
    has_groups: Callable[[], bool] = _several
    account: Callable[[FairKey], str] = _group_of
    owner: Callable[[str], str] = _itself
    is_shared: Callable[[int], bool] = _always
