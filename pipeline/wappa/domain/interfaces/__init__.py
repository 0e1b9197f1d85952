"""The interfaces of the objects that handlers use."""

from pipeline.wappa.domain.interfaces.cache_factory import ICacheFactory
from pipeline.wappa.domain.interfaces.cache_interfaces import (
    IAIStateCache,
    IExpiryCache,
    IStateCache,
    ITableCache,
    IUserCache,
)
from pipeline.wappa.domain.interfaces.media_interface import IMediaHandler
from pipeline.wappa.domain.interfaces.messaging_interface import IMessenger
from pipeline.wappa.not_offered import refusing

__getattr__ = refusing(__name__)
__all__ = [
    "IAIStateCache",
    "ICacheFactory",
    "IExpiryCache",
    "IMediaHandler",
    "IMessenger",
    "IStateCache",
    "ITableCache",
    "IUserCache",
]
