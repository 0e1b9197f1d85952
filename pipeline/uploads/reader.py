"""Read files from the topic `uploads`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from pipeline.errors import BackendUnavailable, Unavailable
from pipeline.replay.reader import PartitionRange, TopicReader, open_reader
from pipeline.topics.catalogue import UPLOADS
from pipeline.topics.uploads import Assembly, StoredUpload


class UploadReader:
    """Reads one file at a time, by one connection that is opened with the first file. Used on one event loop."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._turn = asyncio.Lock()
        self._opened = AsyncExitStack()
        self._reader: TopicReader | None = None

    async def read(self, upload: StoredUpload) -> bytes:
        """Return the file. Raises `Unavailable`, and `InvalidRecord` if it is not on the topic any more."""
        async with self._turn:
            try:
                return await self._read(upload)
            except (Unavailable, asyncio.CancelledError):
                await self.close()
                raise

    async def close(self) -> None:
        """Close the connection. The next read opens another."""
        self._reader = None
        await self._opened.aclose()

    async def _read(self, upload: StoredUpload) -> bytes:
        if self._reader is None:
            self._reader = await self._opened.enter_async_context(open_reader(self._bootstrap))
        file = Assembly(upload)
        async for record in self._reader.read(
            PartitionRange(UPLOADS.name, upload.partition, upload.first, upload.last + 1)
        ):
            if record.offset < upload.first:  # the client begins anew if the log ends before the position
                raise BackendUnavailable(f"the topic {UPLOADS.name} ends before the file")
            file.add(record)
        self._reader.rest()
        return file.finish()
