"""The topic `uploads` while no broker is there."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.errors import Unavailable
from pipeline.topics.records import Record
from pipeline.topics.uploads import StoredUpload
from pipeline.uploads.reader import UploadReader
from pipeline.uploads.writer import UploadTopic

NOBODY = "127.0.0.1:1"
UPLOAD = StoredUpload(id="u", partition=0, first=0, last=0, size=1, sha256="", mime_type="image/jpeg", filename="a.jpg")


def test_without_a_broker_nothing_is_stored_or_read_and_everything_is_tried_again() -> None:
    """A caller would get a 500 instead of a 503, and a command be a dead letter for a broker that restarts."""

    async def main() -> None:
        topic, reader = UploadTopic(NOBODY), UploadReader(NOBODY)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await topic.publish(Record("uploads", b"u", b"x"))
            with pytest.raises(Unavailable):
                await reader.read(UPLOAD)
        await topic.close()
        await reader.close()

    asyncio.run(main())
