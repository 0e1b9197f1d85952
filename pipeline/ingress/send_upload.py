"""Receive the file of a send: within the limits of its kind, its provider, its tenant and the process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Final

from aiohttp import web

from pipeline.handlers.api.paths import PATHS
from pipeline.handlers.media.limits import max_upload
from pipeline.ingress.admission import Admission, Rejected, Streamed
from pipeline.ingress.arriving_body import ArrivingBody
from pipeline.ingress.file_receiver import FileReceiver, too_large
from pipeline.ingress.rejections import Quota
from pipeline.ingress.send_errors import InvalidSend, OverQuota
from pipeline.ingress.send_form import FORM_TYPE, MAX_FIELD_BYTES, read_form
from pipeline.ingress.send_validation import Sender
from pipeline.ingress.upload_slots import RETRY_AFTER, UploadSlots
from pipeline.providers.api import SEND_API
from pipeline.providers.base import MediaProvider
from pipeline.uploads.writer import Discarded, FileWriter, PieceStore

FORM_OVERHEAD: Final = 64 * 1024
"""Bytes of a form beside its fields and its file: boundaries, and the headers of its parts."""


class UploadReceiver:
    """Receives files.

    Args:
        store: keeps the pieces of files.
        deadline: seconds from the head of a request to its response.
    """

    def __init__(self, admission: Admission, store: PieceStore, deadline: float) -> None:
        self._admission = admission
        self._store = store
        self._deadline = deadline
        self._slots = UploadSlots()

    def rejection(self, request: web.Request, path: str, sender: Sender) -> Rejected | None:
        """Return why the body need not be read: it is too large, or there are too many uploads already."""
        kind, limit = PATHS[path].message_type, file_limit(path, sender)
        if (request.content_length or 0) > _body_limit(limit):
            return InvalidSend.of(too_large(kind, limit))
        if self._slots.is_full:
            return Rejected(503)
        if not self._slots.is_at_share(sender.tenant.id):
            return None
        self._admission.rejections.report(sender.tenant.id, Quota.UPLOADS)
        return OverQuota(sender.tenant, Quota.UPLOADS, RETRY_AFTER)

    @asynccontextmanager
    async def admitted(
        self, request: web.Request, path: str, sender: Sender | None, rejection: Rejected | None
    ) -> AsyncIterator[ArrivingBody]:
        """Give the body to the block while it arrives. Raises `Rejected`, at once for a `rejection`."""
        limit = _body_limit(file_limit(path, sender)) if sender else 0
        accepted = Streamed(FORM_TYPE, limit, self._deadline)
        with self._slots.taken(sender.tenant.id) if sender and not rejection else nullcontext():
            async with self._admission.streaming(request, SEND_API.name, rejection, accepted) as body:
                yield body

    async def receive(
        self, request: web.Request, path: str, sender: Sender, body: ArrivingBody, *, keep: bool
    ) -> tuple[dict[str, str], FileReceiver]:
        """Return the fields of the form, and its file without the last piece. Raises `InvalidSend` and `Unavailable`.

        `keep`: False if the file is stored already, and is only compared.
        """
        writer = FileWriter(self._store if keep else Discarded())
        file = FileReceiver(PATHS[path].message_type, file_limit(path, sender), writer, body)
        return await read_form(request.headers, body, file.take), file


def file_limit(path: str, sender: Sender) -> int:
    """Return the maximum bytes of the file of a send."""
    return max_upload(PATHS[path].message_type, keeps_media=isinstance(sender.provider, MediaProvider))


def _body_limit(file: int) -> int:
    return file + MAX_FIELD_BYTES + FORM_OVERHEAD
