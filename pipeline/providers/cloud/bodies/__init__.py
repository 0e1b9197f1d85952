"""Build the JSON of each kind of command. Source: Cloud API, messages endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.providers.cloud.bodies import basic, commerce, interactive, media, places
from pipeline.providers.cloud.bodies.envelope import MessageContent, address_message
from pipeline.topics.commands import Command, CommandKind

_CONTENTS: Final[Mapping[CommandKind, Callable[[dict[str, Any]], MessageContent]]] = MappingProxyType(
    {
        CommandKind.TEXT: basic.text,
        CommandKind.REACTION: basic.reaction,
        CommandKind.TEMPLATE: basic.template,
        CommandKind.PIN: basic.pin,
        CommandKind.GROUP_INVITE: basic.group_invite,
        CommandKind.IMAGE: media.image,
        CommandKind.VIDEO: media.video,
        CommandKind.AUDIO: media.audio,
        CommandKind.DOCUMENT: media.document,
        CommandKind.STICKER: media.sticker,
        CommandKind.LOCATION: places.location,
        CommandKind.CONTACTS: places.contacts,
        CommandKind.BUTTONS: interactive.buttons,
        CommandKind.LIST: interactive.listed,
        CommandKind.CTA: interactive.link,
        CommandKind.LOCATION_REQUEST: interactive.location_request,
        CommandKind.CONTACT_REQUEST: interactive.contact_request,
        CommandKind.ADDRESS: interactive.address,
        CommandKind.CALL: interactive.call,
        CommandKind.CALL_PERMISSION: interactive.call_permission,
        CommandKind.FLOW: commerce.flow,
        CommandKind.PRODUCT: commerce.product,
        CommandKind.PRODUCTS: commerce.products,
        CommandKind.CATALOG: commerce.catalog,
        CommandKind.CAROUSEL: commerce.carousel,
    }
)

KINDS: Final = frozenset({*_CONTENTS, CommandKind.READ})
"""Kinds that the Cloud API supports. Missing: polls, edits, deletions, forwards, and typing without a message."""


def build_body(command: Command) -> dict[str, Any]:
    """Return the JSON body to post for a command.

    Raises `UnsupportedCommand` for a kind without an endpoint, `InvalidRecord` for a body without a required field.
    """
    if command.kind not in KINDS:
        raise UnsupportedCommand(f"the Cloud API can't do {command.kind}")
    try:
        if command.kind is CommandKind.READ:
            return basic.read(command)
        return address_message(command, _CONTENTS[command.kind](command.body))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        what = error.args[0] if isinstance(error, KeyError) else "what its kind needs"
        raise InvalidRecord(f"a {command.kind} command without {what}") from None
