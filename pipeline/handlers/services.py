"""What a runner gives its handlers beside event and unit of work: what their providers can do, and their media."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.handlers.media.library import MediaLibrary
from pipeline.state.memory import MemoryStore
from pipeline.topics.commands import CommandKind

Abilities = Mapping[str, frozenset[CommandKind]]
"""The kinds of command that each provider can do, by its name."""


class Services(NamedTuple):
    """`abilities` knows every provider of the installation; where it is empty, nothing is refused by kind."""

    library: MediaLibrary
    abilities: Abilities

    def does(self, provider: str, kind: CommandKind) -> bool:
        return not self.abilities or kind in self.abilities.get(provider, ())


def no_services() -> Services:
    """For tests of one handler: every kind, no provider's media, nothing remembered."""
    return Services(MediaLibrary(MemoryStore()), {})
