"""The HTTP client that the Twilio SDK gets from us: another base address, our session, no retries, no logs.

The SDK's own asynchronous client ignores its time-out, repeats sends when told to retry, drops ``Retry-After`` and logs
phone numbers; the SDK only asks its client for ``is_async`` and ``request``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession

from channels.whatsapp.calls import basic
from channels.whatsapp.twilio_errors import failure

HOSTS = ("https://api.twilio.com", "https://messaging.twilio.com")
FIRST_FAILURE = 300  # statuses from here on are no success; redirects are not followed with credentials


@dataclass(frozen=True, slots=True)
class Answer:
    """What the SDK reads of a response."""

    status_code: int
    text: str
    headers: Mapping[str, str]


class RestClient:
    """Carries the SDK's requests over ``session``; raises SendErrors, because only here the headers are known."""

    is_async = True

    def __init__(self, session: ClientSession, api_base: str) -> None:
        self._session = session
        self._api_base = api_base.rstrip("/")

    def address(self, url: str) -> str:
        """``url`` with Twilio's hosts replaced by the configured base, if there is one."""
        for host in HOSTS:
            if self._api_base and (url == host or url.startswith(f"{host}/")):
                return self._api_base + url.removeprefix(host)
        return url

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_: object,
    ) -> Answer:
        """One try; time-outs and broken connections are the caller's (:func:`channels.whatsapp.calls.one_try`)."""
        async with self._session.request(
            method,
            self.address(url),
            params=params,
            data=urlencode(data, doseq=True).encode() if data else None,
            headers={**(headers or {}), **({"Authorization": basic(*auth)} if auth else {})},
            allow_redirects=False,
        ) as response:
            text = await response.text(errors="replace")
            if response.status >= FIRST_FAILURE:
                effect = method.upper() != "GET"
                raise failure(response.status, text, response.headers, effect=effect, now_s=time.time())
            return Answer(response.status, text, response.headers)
