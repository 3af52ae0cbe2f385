"""The vendor's libraries, loaded on first use: they cost a third of a second, and most shops start without Slack.

Only what is wanted of them is used: the Web API client without its retries, the signature check, and bolt's reading of
who acted in which workspace. Their servers and dispatchers acknowledge before anything is stored, so they stay out.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from aiohttp import ClientSession

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SIGNATURE_AGE_S = 300

_quiet = logging.getLogger("frontdesk.slack_sdk")
_quiet.setLevel(logging.WARNING)  # below that the library writes requests with customers' words into the log


@dataclass(frozen=True, slots=True)
class At:
    """A clock that stands where the delivery says."""

    now_s: float

    def now(self) -> float:
        """Epoch seconds."""
        return self.now_s


def load() -> None:
    """Load everything now, so that the first event does not wait for it."""
    for module in ("slack_sdk.web.async_client", "slack_sdk.signature", "slack_bolt.request.async_request"):
        importlib.import_module(module)


def web_client(token: str, base_url: str, session: ClientSession | None) -> Any:
    """An ``AsyncWebClient`` that tries once; the environment's proxy is not asked for loopback or excepted hosts."""
    client = importlib.import_module("slack_sdk.web.async_client").AsyncWebClient(
        token=token, base_url=base_url, session=session, retry_handlers=[], logger=_quiet
    )
    host = urlsplit(base_url).hostname or ""
    if host in LOOPBACK or proxy_bypass(host):
        client.proxy = None
    return client


def api_error() -> type[Exception]:
    """``slack_sdk.errors.SlackApiError``; its text holds the whole answer, so it is never logged."""
    found: type[Exception] = importlib.import_module("slack_sdk.errors").SlackApiError
    return found


def signature_holds(secret: str, body: bytes, headers: Mapping[str, str], now_s: float) -> bool:
    """Whether the signing secret made this signature over exactly these bytes, within five minutes of ``now_s``."""
    stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    # the library turns these into exceptions: what is no number, and what is not ASCII
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= len(str(10**15)) and signature.isascii()):
        return False
    verifier = importlib.import_module("slack_sdk.signature").SignatureVerifier(secret, clock=At(now_s))
    try:
        return bool(verifier.is_valid(body, stamp, signature))
    except UnicodeDecodeError:  # Slack sends UTF-8 only
        return False


def actors(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who acted where (``team_id``, ``actor_team_id``, ``user_id`` ...), as bolt reads it; empty for odd shapes."""
    request = importlib.import_module("slack_bolt.request.async_request").AsyncBoltRequest
    try:
        context: Mapping[str, Any] = request(body=dict(payload), mode="socket_mode").context
    except (AttributeError, TypeError, ValueError, KeyError):
        return {}
    return context
