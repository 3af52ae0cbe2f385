"""A site's robots.txt: what may be read, how fast, and where its sitemaps are (RFC 9309)."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from server.egress import Egress, EgressFailed, EgressRefused, TooLarge
from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import SourceDown

MOST_BYTES = 512 * 1024
MOST_DELAY_S = 60.0  # a longer crawl delay is kept at this: the crawl would never end
MOST_SITEMAPS = 20
_TOO_MANY = 429
_RETRY_S = 3_600.0


class Robots:
    """The rules of one host for one crawler."""

    def __init__(self, text: str, user_agent: str) -> None:
        self._name = user_agent.partition("/")[0].strip() or "*"
        self._rules: Any = importlib.import_module("protego").Protego.parse(text)  # 0.1 s: loaded by the first crawl

    def allows(self, url: str) -> bool:
        """Whether the address may be fetched."""
        return bool(self._rules.can_fetch(url, self._name))

    @property
    def delay_s(self) -> float:
        """Seconds between two requests that the site asks for; 0 when it does not."""
        delay = self._rules.crawl_delay(self._name) or 0.0
        rate = self._rules.request_rate(self._name)
        if rate is not None and rate.requests:
            delay = max(delay, rate.seconds / rate.requests)
        return float(min(max(delay, 0.0), MOST_DELAY_S))

    @property
    def sitemaps(self) -> list[str]:
        """Addresses as the file names them."""
        return list(self._rules.sitemaps)[:MOST_SITEMAPS]


async def fetch_robots(egress: Egress, origin: str, user_agent: str) -> Robots:
    """Read the rules of ``origin`` (scheme://host:port).

    A missing file allows everything; a broken server forbids everything for now. Raises SourceDown and SourceRefused.
    """
    try:
        answer = await egress.get(f"{origin}/robots.txt", max_bytes=MOST_BYTES)
    except EgressRefused as refused:
        raise SourceRefused(f"the site cannot be read: {refused.reason}") from refused
    except TooLarge:
        raise SourceDown(f"robots.txt is larger than {MOST_BYTES} bytes, so it is not known what may be read") from None
    except EgressFailed as failed:
        raise SourceDown(f"robots.txt cannot be read, so nothing is for now: {failed.reason}", _RETRY_S) from failed
    if answer.status >= 500 or answer.status == _TOO_MANY:  # noqa: PLR2004 - the class of server errors
        raise SourceDown(f"robots.txt answers {answer.status}, so nothing is read for now", _RETRY_S)
    text = answer.body.decode("utf-8", "replace") if answer.status in range(200, 300) else ""
    return await asyncio.to_thread(Robots, text.removeprefix("\ufeff"), user_agent)
