"""Files that came with a send over HTTP: their pieces are on the topic `uploads`, and a command names them.

A record is one piece, keyed by the upload's id, with its index in a header. All pieces of a file are on one partition,
in order. Pieces of other files may lie between them, and so may a repetition of a piece, which a producer's retry left.
A file is complete before anything names it.
"""

from __future__ import annotations

import hashlib
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import InvalidRecord
from pipeline.topics.records import ConsumedRecord, header
from pipeline.topics.types import Json

PIECE_BYTES: Final = 512 * 1024
"""Bytes of a piece; the last one may be smaller. An ingress holds one of each upload that it receives."""
PIECE: Final = "piece"
"""Header of a piece: its index in the file, from 0."""


class StoredUpload(BaseModel):
    """A file on the topic `uploads`.

    Attributes:
        id: key of its pieces.
        partition: where they are.
        first: offset of the first piece.
        last: offset of the last one.
        size: bytes of the file.
        sha256: of the file, in hexadecimal.
        mime_type: with its parameters, e.g. `audio/ogg; codecs=opus`.
        filename: as the caller named it, without a folder.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    partition: int = Field(ge=0)
    first: int = Field(ge=0)
    last: int = Field(ge=0)
    size: int = Field(gt=0)
    sha256: str
    mime_type: str
    filename: str

    def medium(self) -> dict[str, object]:
        """Return the medium as commands name it."""
        return {"upload": self.model_dump(), "mime_type": self.mime_type, "filename": self.filename}


def upload_in(body: Json) -> object:
    """Return the upload that a command's body names, unchecked; None if it names none."""
    media = body.get("media")
    return media.get("upload") if type(media) is dict else None


class Assembly:
    """Puts a file together from the records of its range, one after the other."""

    def __init__(self, upload: StoredUpload) -> None:
        self._upload = upload
        self._key = upload.id.encode()
        self._content = bytearray()
        self._index = 0

    def add(self, record: ConsumedRecord) -> None:
        """Add a record's piece if it is the next one of this file."""
        if record.key == self._key and header(record.headers, PIECE) == str(self._index):
            self._content += record.value or b""
            self._index += 1

    def finish(self) -> bytes:
        """Return the file. Raises `InvalidRecord` if it is not the one that was stored."""
        if hashlib.sha256(self._content).hexdigest() != self._upload.sha256:
            raise InvalidRecord("the uploaded file is not on the topic uploads any more: send it again")
        return bytes(self._content)
