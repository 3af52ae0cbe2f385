"""One Web API call: one try under our own time-out, every outcome told apart by what it says about the effect.

Limited       429 or ratelimited: nothing was done; Retry-After
Unauthorized  the token is not accepted (any longer)
Unreachable   the channel or person is gone
Refused       any other plain no
Unavailable   no connection could be made: nothing was done
Unknown       time-out, reset or 5xx after the request had left: it may have been done
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, ConnectionTimeoutError

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable, Unknown, Unreachable
from channels.slack import sdk

PUBLIC_BASE = "https://slack.com/api"
RETRY_AFTER_S = 30.0  # when Slack names no time
CONNECT_S = 5.0
SERVER_ERROR = 500
TOO_MANY = 429
OK = 200
DETAIL_CHARACTERS = 300

TOKEN_ERRORS = frozenset(
    {"invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_authed", "team_access_not_granted"}
)
GONE_ERRORS = frozenset(
    {
        "channel_not_found",
        "is_archived",
        "user_not_found",
        "user_disabled",
        "user_not_visible",
        "cannot_dm_bot",
        "blocked",
        "user_blocked",
        "team_not_found",
    }
)
LIMIT_ERRORS = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
UNCLEAR_ERRORS = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})


class Api:
    """The Web API of one workspace, on one shared session."""

    def __init__(self, token: str, api_base: str, timeout_s: float) -> None:
        self.base = api_base.rstrip("/") or PUBLIC_BASE
        self.session: ClientSession | None = None
        self.token = token
        self.timeout_s = timeout_s
        self._client: Any = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections open for the time of the block; asks nothing of Slack."""
        async with ClientSession(timeout=ClientTimeout(total=None, sock_connect=CONNECT_S)) as self.session:
            self._client = sdk.web_client(self.token, f"{self.base}/", self.session)
            try:
                yield
            finally:
                self._client = None

    @property
    def bearer(self) -> Mapping[str, str]:
        """The header that shows our token."""
        return {"Authorization": f"Bearer {self.token}"}

    async def call(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """Call an SDK method (``chat_postMessage``) once; raises SendError."""
        client = self._client or sdk.web_client(self.token, f"{self.base}/", None)
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await getattr(client, method)(**arguments)
                data: Any = response.data
        except sdk.api_error() as error:
            raise _refusal(error) from None  # its text would carry the customer's words into a log
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise Unavailable("no_connection", type(error).__name__) from None
        except TimeoutError:
            raise Unknown("timeout", f"no answer within {self.timeout_s:g} s") from None
        except (ClientError, OSError) as error:
            raise Unknown("connection_lost", type(error).__name__) from None
        except (AttributeError, ValueError) as error:  # an answer the library cannot read
            raise Unknown("bad_answer", type(error).__name__) from None
        if not isinstance(data, Mapping):
            raise Unknown("bad_answer", "not a JSON object")
        return data

    async def read(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """The same for calls that change nothing: an unknown outcome is only an answer that did not come."""
        try:
            return await self.call(method, **arguments)
        except Unknown as error:
            raise Unavailable(error.code, error.detail) from None


def _refusal(error: Exception) -> SendError:
    """What an error answer means; the response may be the SDK's or, for unreadable bodies, aiohttp's."""
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", getattr(response, "status", 0))
    data = getattr(response, "data", None)
    answer: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    code = str(answer.get("error") or "")
    if status == TOO_MANY or code in LIMIT_ERRORS:
        return Limited(code or "ratelimited", _retry_after(getattr(response, "headers", {})))
    if code in UNCLEAR_ERRORS or status >= SERVER_ERROR:
        return Unknown(code or f"http_{status}")
    if not code:
        return Unknown("bad_answer", "not a JSON object") if status == OK else Refused(f"http_{status}")
    kind = Unauthorized if code in TOKEN_ERRORS else Unreachable if code in GONE_ERRORS else Refused
    return kind(code, _detail(answer))


def _retry_after(headers: Mapping[str, str]) -> float:
    value = str(headers.get("Retry-After", ""))
    return float(value) if value.isascii() and value.isdigit() else RETRY_AFTER_S


def _detail(answer: Mapping[str, Any]) -> str:
    """Slack's own words: a missing scope, or where the request was malformed."""
    if answer.get("needed"):
        return f"the token lacks the scope {answer['needed']}: add it to the app and install it again"
    metadata = answer.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, Mapping) else None
    return "; ".join(map(str, messages))[:DETAIL_CHARACTERS] if isinstance(messages, list) else ""
