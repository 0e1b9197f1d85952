"""The providers by their names in paths, keys and headers. To add one, write a package like `cloud` and a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.providers.base import CallbackDataProvider, Provider, ServiceWindowProvider
from pipeline.providers.cloud import Cloud
from pipeline.providers.waha import Waha
from pipeline.providers.wasender import Wasender
from pipeline.providers.wawp import Wawp

CLOUD: Final = Cloud()
_ALL: Final[tuple[Provider, ...]] = (CLOUD, Wasender(), Wawp(), Waha())

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType({each.name: each for each in _ALL})

JOINED_BY_MESSAGE: Final = frozenset(each.name for each in _ALL if not isinstance(each, CallbackDataProvider))
"""The providers whose statuses name a message only, and not the command that sent it."""
WINDOWED: Final[Mapping[str, ServiceWindowProvider]] = MappingProxyType(
    {each.name: each for each in _ALL if isinstance(each, ServiceWindowProvider)}
)
"""The providers that have a service window."""
