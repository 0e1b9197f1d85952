"""Tell errors of input and output, which pass when a service is back, from errors of a program, which do not.

No client library is imported for it: an error is known by the names of its classes and of the packages that define
them, and by the HTTP status that it carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

_LOCAL: Final = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
"""Errors of the file system: they say that a path is wrong, and no wait corrects it."""
_PROGRAM: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)
"""Errors of a program. A class that derives from one of these and from `OSError` says that an argument is wrong."""
_OUTAGES: Final = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505}
"""HTTP statuses after which the same request may succeed."""
_DATABASE: Final = frozenset({"InterfaceError", "OperationalError"})
"""Names that PEP 249 gives to errors of a connection and of a database's operation."""
_CLIENTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "aiohttp": frozenset({"ClientConnectionError", "ClientPayloadError"}),
        "aiomysql": _DATABASE,
        "anthropic": frozenset({"APIConnectionError"}),
        "asyncpg": frozenset({"CannotConnectNowError", "PostgresConnectionError", "TooManyConnectionsError"}),
        "botocore": frozenset({"ConnectionError", "HTTPClientError"}),
        "elastic_transport": frozenset({"ConnectionError", "ConnectionTimeout"}),
        "httpcore": frozenset({"NetworkError", "ProxyError", "RemoteProtocolError", "TimeoutException"}),
        "httpx": frozenset({"NetworkError", "ProxyError", "RemoteProtocolError", "TimeoutException"}),
        "openai": frozenset({"APIConnectionError"}),
        "psycopg": _DATABASE,
        "psycopg2": _DATABASE,
        "pymongo": frozenset({"ConnectionFailure"}),
        "pymysql": _DATABASE,
        "redis": frozenset({"ConnectionError", "TimeoutError"}),
        "requests": frozenset({"ChunkedEncodingError", "ConnectionError", "Timeout"}),
        "sqlalchemy": _DATABASE | {"TimeoutError"},
        "urllib3": frozenset({"MaxRetryError", "ProtocolError", "TimeoutError"}),
        "websockets": frozenset({"ConnectionClosed"}),
    }
)
"""By top-level package: base classes of the errors that a service's absence causes."""
_MAX_CAUSES: Final = 5
"""Errors of a chain of `raise … from …` that are looked at."""


def is_io_error(error: BaseException, further: tuple[type[BaseException], ...] = ()) -> bool:
    """Return True if an error, or the one that it was raised from, is one of input or output.

    Such are `OSError` with `ConnectionError` and `TimeoutError`, the connection errors of well-known clients, and
    answers with an HTTP status of 408, 425, 429 or 5xx. Not so a missing file or a wrong argument.

    Args:
        error: an exception. A group is one if all of its exceptions are.
        further: classes that count too.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_io_error(each, further) for each in error.exceptions)
    return any(_is_io_error(each, further) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those that it was raised from, up to one of a program: that one is what went wrong."""
    found: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if found is None:
            return
        yield found
        found = None if isinstance(found, _PROGRAM) else found.__cause__


def _is_io_error(error: BaseException, further: tuple[type[BaseException], ...]) -> bool:
    if isinstance(error, further):
        return True
    if isinstance(error, (*_LOCAL, *_PROGRAM)):
        return False
    if (status := _http_status(error)) is not None:
        return status in _OUTAGES
    return isinstance(error, OSError | EOFError) or any(_is_of_client(each) for each in type(error).__mro__)


def _is_of_client(kind: type) -> bool:
    return kind.__name__ in _CLIENTS.get(kind.__module__.partition(".")[0], ())


def _http_status(error: BaseException) -> int | None:
    """Return the HTTP status of the answer that an error is about; None if it is about none."""
    answer = getattr(error, "response", None)
    for holder, name in ((error, "status"), (error, "status_code"), (answer, "status_code"), (error, "code")):
        found = getattr(holder, name, None)
        if type(found) is int and 100 <= found <= 599:
            return found
    return None
