"""One call to a platform: our own time-out, one try, and what each failure says about the effect."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
)

from channels.base import Refused, SendError, Unavailable, Unknown

CONNECT_SHARE = 0.5  # of a call's time; a connection that is not there by then has carried nothing
CHUNK_BYTES = 65_536
REDIRECTS = 3
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)


def open_session(timeout_s: float) -> ClientSession:
    """The one HTTP session of a channel: no cookies, no time-outs but ours."""
    timeout = ClientTimeout(total=None, connect=timeout_s * CONNECT_SHARE, sock_read=timeout_s)
    return ClientSession(timeout=timeout, cookie_jar=DummyCookieJar())


@asynccontextmanager
async def one_try(
    timeout_s: float, *, effect: bool, unreadable: tuple[type[Exception], ...] = UNREADABLE
) -> AsyncIterator[None]:
    """Turn what may happen to a call into SendErrors.

    With ``effect`` a call that may have arrived raises Unknown, without (reads) Unavailable. ``unreadable`` are the
    errors of an answer that cannot be understood.
    """
    lost: type[SendError] = Unknown if effect else Unavailable
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (ClientConnectorError, ConnectionTimeoutError):
        raise Unavailable("no_connection", "the platform could not be reached") from None
    except TimeoutError:
        raise lost("timeout", f"no answer within {timeout_s:g} s") from None
    except (ClientError, OSError):
        raise lost("connection_lost", "the connection broke before the answer came") from None
    except unreadable:
        raise lost("unreadable_answer", "the platform's answer could not be understood") from None


def basic(login: str, password: str) -> str:
    """The Authorization header of a login; aiohttp's own class is going away."""
    return f"Basic {b64encode(f'{login}:{password}'.encode()).decode()}"


def origin(url: str) -> str:
    """Scheme, host and port of a URL, lower case."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


async def download(
    session: ClientSession,
    url: str,
    *,
    headers: Mapping[str, str],
    trusted: Callable[[str], bool],
    followed: Callable[[str], bool],
    failure: Callable[[ClientResponse], SendError],
) -> AsyncGenerator[bytes, None]:
    """Stream a file: credentials go to ``trusted`` addresses only, redirects without them to ``followed`` ones.

    Raises Refused("host") for any other address before a byte is sent there, else SendErrors.
    """
    if not trusted(url):
        raise Refused("host", "the file is not on the platform's own hosts; it was not fetched")
    for _ in range(REDIRECTS + 1):
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status not in REDIRECT_STATUSES:
                    if response.status != 200:  # noqa: PLR2004 - the only status that carries a whole file
                        raise failure(response)
                    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                        yield chunk
                    return
                url = urljoin(url, response.headers.get("Location", ""))
        except (ClientError, TimeoutError, OSError):
            raise Unavailable("connection_lost", "the file could not be read to its end") from None
        headers = {}
        if not followed(url):
            raise Refused("host", "the file's address leads away from the platform's own hosts; it was not fetched")
    raise Refused("redirects", "the file's address leads in circles")
