"""The HTTP calls of a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pipeline.errors import UnsupportedCommand
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind


class GatewayCall(NamedTuple):
    """One HTTP request. `path` begins with a slash."""

    method: str
    path: str
    body: dict[str, Any]


Builders = Mapping[CommandKind, Callable[[Command, Account], GatewayCall]]

REPEATABLE: Final = frozenset(
    {
        CommandKind.READ,
        CommandKind.TYPING,
        CommandKind.REACTION,
        CommandKind.EDIT,
        CommandKind.REVOKE,
        CommandKind.PIN,
    }
)
"""Kinds that create no message. Their answers contain no id, and repeating them is harmless."""


def build_calls(command: Command, account: Account, builders: Builders) -> list[GatewayCall]:
    """Return the calls that carry a command out: one, and a second one for a read mark that also shows typing.

    Raises `UnsupportedCommand` for a kind without an endpoint, `InvalidRecord` for a body without a required field.
    """
    build = builders.get(command.kind)
    if build is None:
        raise UnsupportedCommand(f"{command.provider} can't do {command.kind}")
    first = build(command, account)
    if command.kind is not CommandKind.READ or not command.body.get("typing"):
        return [first]
    typing = command.model_copy(update={"kind": CommandKind.TYPING, "body": {"on": True}})
    return [first, builders[CommandKind.TYPING](typing, account)]
