"""The services that a runner gives its handlers: their providers' capabilities, and media."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pipeline.handlers.media.library import MediaLibrary
from pipeline.state.memory import MemoryStore
from pipeline.tenants import Tenants
from pipeline.topics.commands import CommandKind

Capabilities = Mapping[str, frozenset[CommandKind]]
"""The kinds of command that each provider supports, by the provider's name."""
Languages = Mapping[str, str]
"""The language of templates whose send names none, by tenant."""


class Services(NamedTuple):
    """A runner's services.

    Attributes:
        library: uploads media, each file once.
        capabilities: for every provider of the installation; if it is empty, every kind is supported.
        languages: of the tenants that have one for their templates.
    """

    library: MediaLibrary
    capabilities: Capabilities
    languages: Languages = MappingProxyType({})

    def supports(self, provider: str, kind: CommandKind) -> bool:
        """Return True if the provider can carry out commands of this kind."""
        return not self.capabilities or kind in self.capabilities.get(provider, ())


def languages_of(tenants: Tenants, of_handlers: Mapping[str, str | None] = MappingProxyType({})) -> Languages:
    """Return the language of templates of each tenant that has one: its own, else that of its handler."""
    found = {tenant.id: tenant.template_language or of_handlers.get(tenant.id) for tenant in tenants}
    return {tenant_id: language for tenant_id, language in found.items() if language}


def default_services() -> Services:
    """Return services for tests of one handler: all kinds are supported, no provider keeps media."""
    return Services(MediaLibrary(MemoryStore()), {})
