"""Customers' files: only from Slack's own file host, with the token, and never a page that asks to sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from aiohttp import ClientConnectorError, ClientError, ClientResponse, ClientSession, ClientTimeout

from channels.base import Limited, Refused, Unavailable
from channels.message import Attachment
from channels.slack.api import RETRY_AFTER_S, SERVER_ERROR, TOO_MANY, Api

FILE_HOST = "files.slack.com"
CHUNK_BYTES = 65_536
OK = 200
REDIRECTS = range(300, 400)
GONE = frozenset({404, 410})


async def download(api: Api, attachment: Attachment, timeout_s: float) -> AsyncIterator[bytes]:
    """A file's bytes; raises Refused (foreign host, sign-in page, gone), Limited, Unavailable.

    Redirects are not followed: the token goes to the file host and nowhere else.
    """
    url = attachment.url or await _address(api, attachment.ref)
    if not allowed(url, api.base):
        raise Refused("host", "files are fetched from Slack's own host only")
    timeout = ClientTimeout(total=None, connect=timeout_s, sock_read=timeout_s)
    try:
        async with (
            ClientSession(timeout=timeout) as session,
            session.get(url, headers=dict(api.bearer), allow_redirects=False) as answer,
        ):
            _check(answer)
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                yield chunk
    except ClientConnectorError as error:
        raise Unavailable("no_connection", type(error).__name__) from None
    except (TimeoutError, ClientError, OSError) as error:
        raise Unavailable("connection_lost", type(error).__name__) from None


def allowed(url: str, api_base: str) -> bool:
    """Whether the token may be shown to that host: Slack's file host over TLS, or the configured API base's origin."""
    parts, base = urlsplit(url), urlsplit(api_base)
    if (parts.scheme, parts.netloc) == ("https", FILE_HOST):
        return True
    own = base.hostname != "slack.com"
    return own and bool(parts.netloc) and (parts.scheme, parts.netloc) == (base.scheme, base.netloc)


async def _address(api: Api, file_id: str) -> str:
    """Where a file lies that its event did not say (shared by another company)."""
    if not file_id:
        return ""
    file = (await api.read("files_info", file=file_id)).get("file")
    return str(file.get("url_private") or "") if isinstance(file, dict) else ""


def _check(answer: ClientResponse) -> None:
    if answer.status == TOO_MANY:
        raise Limited("ratelimited", RETRY_AFTER_S)
    if answer.status >= SERVER_ERROR:
        raise Unavailable(f"http_{answer.status}")
    if answer.status in GONE:
        raise Refused("gone", "the file is no longer there")
    if answer.status in REDIRECTS:
        raise Refused("redirected", "the file host sends elsewhere: is the scope files:read there?")
    if answer.status != OK:
        raise Refused(f"http_{answer.status}")
    if answer.content_type == "text/html":  # what a wrong token gets instead of the file, with status 200
        raise Refused("sign_in_page", "the file host asks to sign in: the token lacks files:read")
