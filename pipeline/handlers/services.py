"""The services that a runner gives its handlers: their providers' capabilities, and media."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.handlers.media.library import MediaLibrary
from pipeline.state.memory import MemoryStore
from pipeline.topics.commands import CommandKind

Capabilities = Mapping[str, frozenset[CommandKind]]
"""The kinds of command that each provider supports, by the provider's name."""


class Services(NamedTuple):
    """A runner's services.

    Attributes:
        library: uploads media, each file once.
        capabilities: for every provider of the installation; if it is empty, every kind is supported.
    """

    library: MediaLibrary
    capabilities: Capabilities

    def supports(self, provider: str, kind: CommandKind) -> bool:
        """Return True if the provider can carry out commands of this kind."""
        return not self.capabilities or kind in self.capabilities.get(provider, ())


def default_services() -> Services:
    """Return services for tests of one handler: all kinds are supported, no provider keeps media."""
    return Services(MediaLibrary(MemoryStore()), {})
