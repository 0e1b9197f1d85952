"""Upload, look up, download and delete media. Source: Cloud API, media reference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, FormData

from pipeline.errors import Unanswered, Unavailable, Unsendable
from pipeline.handlers.media.gateway import MediaInfo, Upload, Uploaded
from pipeline.providers.cloud.answer import error_text
from pipeline.providers.cloud.error_codes import TABLE
from pipeline.providers.cloud.graph import bearer, graph_url
from pipeline.providers.code_policy import Action
from pipeline.providers.shared.http import read_object
from pipeline.tenants import Account

UPLOAD_LIFETIME: Final = 30 * 86_400
"""Seconds that Meta keeps an upload."""
TIMEOUT: Final = ClientTimeout(total=None, connect=10, sock_read=30)

_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


async def upload_media(upload: Upload, account: Account, session: ClientSession) -> Uploaded:
    """Upload a file to the account's number."""
    form = FormData({"messaging_product": "whatsapp", "type": upload.mime_type})
    form.add_field("file", upload.content, filename=upload.filename, content_type=upload.mime_type)
    url = graph_url(account, account.id, "media")
    content = await _call(session, "POST", url, account, "UPLOAD_FAILED", data=form)
    return Uploaded({"id": _string(content, "id", "UPLOAD_FAILED")}, UPLOAD_LIFETIME)


async def media_info(media_id: str, account: Account, session: ClientSession) -> MediaInfo:
    code = "MEDIA_INFO_FAILED"
    content = await _call(session, "GET", graph_url(account, media_id), account, code)
    size = str(content.get("file_size"))
    return MediaInfo(
        media_id,
        _string(content, "url", "MEDIA_URL_MISSING"),
        content.get("mime_type"),
        int(size) if size.isascii() and size.isdigit() else None,
        content.get("sha256"),
    )


@asynccontextmanager
async def open_media(info: MediaInfo, account: Account, session: ClientSession) -> AsyncIterator[ClientResponse]:
    """Open the response with the bytes. Meta's URLs require the token; a redirect to another host does not get it."""
    async with session.get(info.url, headers=bearer(account), timeout=TIMEOUT) as response:
        if response.status != 200:
            raise _media_error(response.status, {}, "DOWNLOAD_FAILED")
        yield response


async def delete_media(media_id: str, account: Account, session: ClientSession) -> None:
    content = await _call(session, "DELETE", graph_url(account, media_id), account, "DELETION_FAILED")
    if content.get("success") is not True:
        raise Unsendable("Meta did not delete the medium", "DELETION_FAILED")


async def _call(
    session: ClientSession, method: str, url: str, account: Account, failure: str, data: FormData | None = None
) -> dict[str, Any]:
    """Return the JSON object of Meta's answer. A rejection is `Unsendable` with the code `failure`."""
    try:
        async with session.request(
            method, url, data=data, headers=bearer(account), timeout=TIMEOUT, allow_redirects=False
        ) as response:
            content = read_object(await response.read())
    except (ClientError, TimeoutError) as error:
        raise Unanswered(f"the Cloud API could not be reached ({type(error).__name__})") from None
    if response.status != 200 or "error" in content:
        raise _media_error(response.status, content, failure, account)
    return content


def _media_error(status: int, content: dict[str, Any], failure: str, account: Account | None = None) -> Exception:
    error = content.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(code, int):
        text = f"Meta answered HTTP {status} without an error code"
        return Unavailable(text) if status in _TRANSIENT else Unsendable(text, failure)
    text = error_text(error)
    if account:
        text = text.replace(account.token.get_secret_value(), "[redacted]")
    passes = error.get("is_transient") is True or TABLE.policy(code).action is Action.RETRY
    return Unavailable(text) if passes else Unsendable(text or f"Meta's error {code}", failure)


def _string(content: dict[str, Any], name: str, failure: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise Unsendable(f"Meta answered without {name}", failure)
    return value
