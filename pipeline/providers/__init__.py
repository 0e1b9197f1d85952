"""The providers by their names in paths, keys and headers. A new one is a folder beside `cloud` and a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.providers.base import Provider
from pipeline.providers.cloud import Cloud

CLOUD: Final = Cloud()

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType({CLOUD.name: CLOUD})
