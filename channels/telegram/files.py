"""Downloading what customers send: only from the Bot API's own file address, streamed, with a size cap."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable
from channels.message import Attachment
from channels.telegram.api import Api

FILE_BYTES = 20 * 1024 * 1024  # what the Bot API lets a bot download
CHUNK_BYTES = 64 * 1024
TOTAL_S = 120.0
PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
TOO_LARGE = "the file is larger than the 20 MB that Telegram lets a bot download"


async def download(api: Api, http: ClientSession, attachment: Attachment) -> AsyncIterator[bytes]:
    """Stream a file of the Bot API; raises SendError (Refused with code too_large for a big one)."""
    if attachment.size_bytes is not None and attachment.size_bytes > FILE_BYTES:
        raise Refused("too_large", TOO_LARGE)
    url = URL(f"{api.base}/file/bot{api.token}/{await _path(api, attachment.ref)}", encoded=True)
    read = 0
    try:
        timeout = ClientTimeout(total=TOTAL_S, sock_connect=api.timeout_s, sock_read=api.timeout_s)
        async with http.get(url, allow_redirects=False, timeout=timeout) as answer:
            if answer.status != 200:  # noqa: PLR2004 - HTTP status
                raise _refusal(answer.status)
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                read += len(chunk)
                if read > FILE_BYTES:
                    raise Refused("too_large", TOO_LARGE)
                yield chunk
    except (ClientError, OSError, TimeoutError, ValueError):  # its text holds the address, and that the token
        raise Unavailable("no_connection", "the file could not be read from Telegram") from None


async def _path(api: Api, ref: str) -> str:
    """Where getFile says the file lies; anything but a plain path below the bot's own folder is refused."""
    try:
        found = await api.call(lambda bot: bot.get_file(ref))
    except Refused as error:
        if "too big" in error.detail.lower():
            raise Refused("too_large", TOO_LARGE) from None
        raise
    file: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    if int(file.get("file_size") or 0) > FILE_BYTES:
        raise Refused("too_large", TOO_LARGE)
    path = str(file.get("file_path") or "")
    if not PATH.fullmatch(path) or ".." in path:
        raise Refused("file_path", "Telegram named no file that can be downloaded")
    return path


def _refusal(status: int) -> SendError:
    if status == 429:  # noqa: PLR2004 - HTTP status
        return Limited("429", 5.0)
    if status == 401:  # noqa: PLR2004 - HTTP status
        return Unauthorized("401", "Telegram does not accept the bot's token; set the one from @BotFather")
    if status >= 500:  # noqa: PLR2004 - HTTP status
        return Unavailable(str(status), "Telegram's file server failed")
    return Refused(str(status), "Telegram does not give the file (any more)")
