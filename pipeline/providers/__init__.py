"""The providers by their names in paths, keys and headers. A new one is a folder beside `cloud` and a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.providers.base import Provider
from pipeline.providers.cloud import Cloud
from pipeline.providers.wasender import Wasender

CLOUD: Final = Cloud()
WASENDER: Final = Wasender()

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType({CLOUD.name: CLOUD, WASENDER.name: WASENDER})
