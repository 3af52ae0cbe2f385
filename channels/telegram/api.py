"""Calls of the Bot API through python-telegram-bot's Bot: one try each, our time-out, our errors, raw answers.

The library's objects are built from what it understands; we read the raw answer instead, so that an answer which lacks
a field (another server behind ``api_base``) still counts as the success it is. The token stands in every URL: nothing
of the library's or the transport's texts leaves this module, and their loggers are turned down.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from channels.base import SendError, Unknown
from channels.telegram.answers import Answer, error_of, lost

PUBLIC = "https://api.telegram.org"
CONNECT_S = 5.0  # a connection that takes longer is not made: nothing was sent then
CONNECTIONS = 64
STUMBLES = (AttributeError, LookupError, RecursionError, TypeError, ValueError)  # the library's, over odd answers

_answer: ContextVar[Answer] = ContextVar("telegram_answer")


class Api:
    """One bot's calls. The library is loaded on the first one, in a thread: importing it takes up to a second."""

    def __init__(self, token: str, base: str, timeout_s: float) -> None:
        self.token = token
        self.base = (base or PUBLIC).rstrip("/")
        self.timeout_s = timeout_s
        self._bot: Any = None
        self._opening = asyncio.Lock()
        self.types: Any = None  # the library's module: LinkPreviewOptions and the like
        self._request: Any = None
        self._error: type[Exception] = SendError  # the library's root error, once it is loaded

    async def open(self) -> Any:
        """Load the library and make its Bot, once; connects to nothing."""
        async with self._opening:
            if self._bot is None:
                self._bot = await self._make()
            return self._bot

    async def _make(self) -> Any:
        quiet()
        os.environ.setdefault("PTB_TIMEDELTA", "true")  # else the library warns about itself at every 429
        telegram = await asyncio.to_thread(importlib.import_module, "telegram")
        self.types, self._error = telegram, telegram.error.TelegramError
        request = importlib.import_module("telegram.request")
        self._request = request.HTTPXRequest(
            connection_pool_size=CONNECTIONS,
            connect_timeout=min(CONNECT_S, self.timeout_s / 2),
            pool_timeout=min(CONNECT_S, self.timeout_s / 4),
            read_timeout=self.timeout_s,
            write_timeout=self.timeout_s,
            httpx_kwargs={"event_hooks": {"response": [_note]}},
        )
        return telegram.Bot(
            self.token,
            base_url=f"{self.base}/bot",
            base_file_url=f"{self.base}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )

    async def close(self) -> None:
        """Close the connections; the next call opens them again."""
        async with self._opening:
            request, self._request, self._bot = self._request, None, None
        if request is not None:
            await request.shutdown()

    async def call(self, work: Callable[[Any], Awaitable[Any]], *, timeout_s: float | None = None) -> Any:
        """Let ``work`` call one method of the bot, and return the raw ``result`` of the answer; raises SendError."""
        bot = await self.open()
        answer = Answer()
        mark = _answer.set(answer)
        failure: SendError | None = None
        try:
            async with asyncio.timeout(timeout_s or self.timeout_s):
                await work(bot)
        except TimeoutError:
            failure = Unknown("timeout", "Telegram did not answer in time")
        except (self._error, *STUMBLES) as error:
            if not answer.status and not isinstance(error, self._error):
                raise  # our own mistake, before anything was asked
            failure = error_of(answer) if answer.status else lost(error)
        finally:
            _answer.reset(mark)
        if answer.ok:  # the library may have stumbled over its form all the same
            return answer.content["result"]
        raise failure or error_of(answer)


async def _note(response: Any) -> None:
    """Keep the status and the object of an answer for the call that waits for it."""
    answer = _answer.get(None)
    if answer is None:
        return
    body = await response.aread()
    answer.content, answer.status = _object(body), response.status_code
    code = answer.content.get("error_code")
    if answer.content.get("ok") is False and type(code) is int and code > 0:  # JSON's false is an int to isinstance
        answer.status = code


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def quiet() -> None:
    """Turn down the loggers of the library and its transport: they write URLs (which hold the token) and answers."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("telegram").setLevel(logging.CRITICAL + 1)  # its errors print whole answers
