"""Asks workers over their health servers. `ask_workers`: what they have of each partition (`GET /lag`)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from pipeline.errors import ConfigurationError
from pipeline.runtime.process.lag import PartitionWork

TIMEOUT: Final = 2.0
"""Timeout for the answer of one worker, in seconds."""

Partition = tuple[str, int]
"""A topic and the number of a partition."""
AppWork = dict[Partition, PartitionWork]


@dataclass(slots=True)
class WorkerAnswers:
    """The answers of all workers that were asked.

    Attributes:
        work: the work of each partition, by app.
        silent: addresses without a usable answer, each with the reason.
    """

    work: dict[str, AppWork] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    def add(self, work: Mapping[str, AppWork]) -> None:
        """Add a worker's answer. While a partition moves two workers may name it: the one that has more counts."""
        for app, found in work.items():
            known = self.work.setdefault(app, {})
            for partition, each in found.items():
                known[partition] = max(each, known.get(partition, each), key=_records)


def require_url(url: str) -> None:
    """Raise `ConfigurationError` unless a URL is `http://host:port` or `https://host:port`."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(f"{url!r} is no address of a worker: write it as http://host:port")


Ask = Callable[[ClientSession, str], Awaitable[None]]
"""Asks one worker, by its URL without a slash at its end. It raises `NoAnswer` or what is raised by aiohttp, and
`ValueError`, `TypeError`, `LookupError` or `AttributeError` for an answer of another format."""


class NoAnswer(Exception):
    """A worker refuses to answer. Its text is the reason."""


async def ask_workers(urls: Collection[str]) -> WorkerAnswers:
    """Ask all workers at the same time. A worker that does not answer is named in the result, and nothing is raised."""
    answers = WorkerAnswers()

    async def ask(session: ClientSession, url: str) -> None:
        answers.add(_parse(await read(session, f"{url}/lag")))

    answers.silent.update(await ask_each(urls, ask))
    return answers


async def ask_each(urls: Collection[str], ask: Ask) -> dict[str, str]:
    """Ask all workers at the same time. Return the addresses without a usable answer, each with the reason."""
    silent: dict[str, str] = {}
    async with ClientSession(timeout=ClientTimeout(total=TIMEOUT)) as session:
        resolved = await asyncio.gather(*map(_resolve, urls))
        await asyncio.gather(*(_ask_any(session, each, ask, silent) for each in zip(urls, resolved, strict=True)))
    return silent


async def read(session: ClientSession, url: str, *statuses: int, **options: Any) -> bytes:
    """Return the body of an answer of status 200, or of one of `statuses`. Raises `NoAnswer` for another one."""
    async with session.get(url, **options) as response:
        if response.status not in (200, *statuses):
            raise NoAnswer(f"HTTP {response.status}")
        return await response.read()


async def _ask_any(session: ClientSession, named: tuple[str, list[str]], ask: Ask, silent: dict[str, str]) -> None:
    """Ask all addresses behind a name. It is silent if none of them answers."""
    url, addresses = named
    reasons = await asyncio.gather(*(_reason(ask(session, each.rstrip("/"))) for each in addresses))
    if all(reasons):
        silent[without_password(url)] = next(iter(reasons), None) or "its name is unknown"


async def _reason(asking: Awaitable[None]) -> str | None:
    """Wait for the answer of one worker; return the reason if there is none."""
    try:
        await asking
    except NoAnswer as refusal:
        return str(refusal)
    except TimeoutError:
        return "no answer in time"
    except (ClientError, OSError):
        return "no connection"
    except (ValueError, TypeError, AttributeError, LookupError):
        return "its answer is not a worker's"
    return None


async def _resolve(url: str) -> list[str]:
    """Return the URL of each address behind a name: one name may stand for all workers, as in a headless service."""
    parts = urlsplit(url)
    if parts.scheme == "https":  # its certificate is for the name
        return [url]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [parts._replace(netloc=_netloc(address, parts.port)).geturl() for address in dict.fromkeys(_hosts(found))]


def _hosts(found: Collection[tuple[Any, ...]]) -> Iterator[str]:
    for _, _, _, _, address in found:
        yield address[0]


def _netloc(host: str, port: int | None) -> str:
    return f"[{host}]:{port or 80}" if ":" in host else f"{host}:{port or 80}"


def without_password(url: str) -> str:
    """Return a URL without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _parse(body: bytes) -> dict[str, AppWork]:
    """Parse an answer. Fields that this version does not know are ignored, and missing ones have their defaults.

    Raises `ValueError`, `TypeError` or `AttributeError` for another format.
    """
    return {
        app: {_partition(name): _work(fields) for name, fields in partitions.items()}
        for app, partitions in orjson.loads(body).items()
    }


def _partition(name: str) -> Partition:
    topic, _, number = name.rpartition("/")
    return topic, int(number)


def _work(fields: Mapping[str, Any]) -> PartitionWork:
    known = {name: value for name, value in fields.items() if name in PartitionWork._fields}
    if not all(value is None or isinstance(value, int) for value in known.values()):
        raise ValueError("a field is no number")
    return PartitionWork(**known)


def _records(work: PartitionWork) -> int:
    return work.runnable + work.held + work.finished + work.parked + work.loaded
