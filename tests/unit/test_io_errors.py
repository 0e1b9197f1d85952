"""Errors of input and output are told from errors of a program, with the clients that are installed and by name."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
import urllib.error
from email.message import Message
from typing import Any

import aiohttp
import pytest
import redis
import requests
from yarl import URL

from pipeline.errors import HandlerTimeout
from pipeline.io_errors import is_io_error


def _client_error(module: str, *names: str, base: type[Exception] = Exception) -> Exception:
    """An error of a library that is not installed here: its classes, from the base down, have these names."""
    kind = base
    for name in names:
        kind = type(name, (kind,), {"__module__": module})
    return kind("away")


def _answer(status: int) -> requests.HTTPError:
    answer = requests.Response()
    answer.status_code = status
    return requests.HTTPError(response=answer)


def _aiohttp_answer(status: int) -> aiohttp.ClientResponseError:
    url = URL("http://shop.example")
    info = aiohttp.RequestInfo(url, "GET", {}, url)  # type: ignore[arg-type]
    return aiohttp.ClientResponseError(info, (), status=status)


def _wrapped(cause: BaseException) -> Exception:
    error = RuntimeError("the shop does not answer")
    error.__cause__ = cause
    return error


OUTAGES = [
    OSError("the disk"),
    ConnectionResetError(),
    TimeoutError(),
    asyncio.IncompleteReadError(b"", 4),
    socket.gaierror(-3, "no name server"),
    ssl.SSLError("handshake"),
    HandlerTimeout("slow"),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientPayloadError(),
    aiohttp.ServerTimeoutError(),
    _aiohttp_answer(503),
    requests.ConnectionError(),
    requests.ReadTimeout(),
    _answer(429),
    redis.ConnectionError(),
    redis.TimeoutError(),
    redis.BusyLoadingError(),
    urllib.error.HTTPError("http://shop.example", 502, "bad gateway", Message(), None),
    _client_error("httpx", "HTTPError", "RequestError", "TransportError", "TimeoutException", "ReadTimeout"),
    _client_error("httpx", "HTTPError", "RequestError", "TransportError", "NetworkError", "ConnectError"),
    _client_error("openai", "OpenAIError", "APIError", "APIConnectionError"),
    _client_error("psycopg", "Error", "DatabaseError", "OperationalError"),
    _client_error("asyncpg.exceptions", "PostgresError", "PostgresConnectionError", "ConnectionDoesNotExistError"),
    _wrapped(ConnectionRefusedError()),
    ExceptionGroup("both", [TimeoutError(), ConnectionResetError()]),
]
FAULTS = [
    TypeError(),
    KeyError("menu"),
    AttributeError(),
    AssertionError(),
    ValueError(),
    RuntimeError("a bug"),
    FileNotFoundError("menu.json"),
    PermissionError(),
    io.UnsupportedOperation("not writable"),
    ssl.SSLCertVerificationError("expired"),
    aiohttp.InvalidURL("shop"),
    _aiohttp_answer(404),
    requests.exceptions.InvalidURL(),
    _answer(400),
    redis.ResponseError("WRONGTYPE"),
    redis.DataError(),
    urllib.error.HTTPError("http://shop.example", 404, "not found", Message(), None),
    _client_error("httpx", "HTTPError", "RequestError", "TooManyRedirects"),
    _client_error("psycopg", "Error", "DatabaseError", "ProgrammingError"),
    _client_error("my_shop", "ConnectionError"),
    _wrapped(KeyError("menu")),
    ExceptionGroup("both", [TimeoutError(), KeyError("menu")]),
]


@pytest.mark.parametrize("error", OUTAGES, ids=repr)
def test_what_a_service_causes_is_an_io_error(error: Exception) -> None:
    """A message would be a dead letter one second into the restart of a bot's own service."""
    assert is_io_error(error)


@pytest.mark.parametrize("error", FAULTS, ids=repr)
def test_what_a_program_causes_is_none(error: Exception) -> None:
    """An author would wait minutes for the dead letter of a typing error, and the user for an apology."""
    assert not is_io_error(error)


def test_a_key_error_behind_an_io_error_stays_one() -> None:
    """A fault in the code that handles an outage would be retried for minutes."""
    error = KeyError("menu")
    error.__cause__ = ConnectionResetError()
    assert not is_io_error(error)


def test_an_author_may_count_further_classes() -> None:
    """The errors of a client that nobody here knows could never be given the long pauses."""

    class TillAway(Exception):
        """An error of somebody's own client."""

    assert not is_io_error(TillAway())
    assert is_io_error(TillAway(), (TillAway,))


def test_odd_attributes_are_no_status() -> None:
    """A client whose errors have a `code` of their own would make the search itself raise, and end the worker."""

    class Odd(Exception):
        code: Any = "E1"
        response: Any = None
        status: Any = True

    assert not is_io_error(Odd())
