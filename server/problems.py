"""Every refusal over HTTP as one RFC 9457 document, and the loop top that turns errors into them."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from pydantic import ValidationError

from server.store.contract import Conflict, StoreUnavailable

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STORE_RETRY_S = 2  # a database restart is usually over by then
OPENAI = "/v1/"  # addresses whose clients expect OpenAI's error documents
STARTED = web.RequestKey("started", bool)  # the answer's head is on the wire; no other answer can follow


SERVER_ERRORS = 500
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Problem(Exception):
    """A refusal that the client is told about; ``detail`` says what happened and what to do next."""

    def __init__(
        self,
        status: int,
        title: str = "",
        detail: str = "",
        type_: str = "about:blank",
        headers: Mapping[str, str] | None = None,
        *,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {title}")
        self.status = status
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.type = type_
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def answer_to(self, request: web.Request) -> web.Response:
        """The answer in the shape that clients of this address read."""
        return self.openai() if request.path.startswith(OPENAI) else self.response()

    def openai(self) -> web.Response:
        """The answer as OpenAI's clients read it; their word for input that is no good is 400."""
        status = HTTPStatus.BAD_REQUEST if self.status == HTTPStatus.UNPROCESSABLE_ENTITY else self.status
        error = {
            "message": self.detail or self.title,
            "type": _OPENAI_TYPES.get(status, "invalid_request_error" if status < SERVER_ERRORS else "server_error"),
            "param": self.more.get("param"),
            "code": self.more.get("code"),
        }
        return web.json_response({"error": error}, status=status, headers=self.headers)

    def response(self) -> web.Response:
        """The ``application/problem+json`` answer, with this problem's own headers."""
        body: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        body |= self.more
        return web.json_response(
            body, status=self.status, headers=self.headers, content_type="application/problem+json"
        )


def too_many(retry_after_s: float, detail: str) -> Problem:
    """A 429 whose ``Retry-After`` is in whole seconds, at least one."""
    seconds = max(1, round(retry_after_s))
    return Problem(429, "Too many requests", detail, headers={"Retry-After": str(seconds)})


def invalid(error: ValidationError) -> Problem:
    """What a body or query got wrong, by field; the refused values are never echoed (they may be passwords)."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    if any(item["type"] == "json_invalid" for item in details):
        return Problem(400, "Malformed JSON", "The body is not valid JSON; send one UTF-8 JSON object.")
    fields = [{"field": _field(item["loc"]), "message": item["msg"].removeprefix("Value error, ")} for item in details]
    named = "; ".join(f"{item['field']}: {item['message']}" for item in fields)
    return Problem(422, "Invalid input", named, more={"errors": fields})


def _field(location: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in location) or "body"


def _from_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """Aiohttp's own refusals in our shape; redirects stay what they are."""
    if error.status < HTTPStatus.BAD_REQUEST:
        raise error
    headers = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
    detail = {
        HTTPStatus.NOT_FOUND: "Nothing is served at this address.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"This address allows {headers.get('Allow', 'other methods')} only.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this server accepts; send less at once.",
    }.get(HTTPStatus(error.status), "")
    return Problem(error.status, error.reason, detail, headers=headers).answer_to(request)


def _unexpected(request: web.Request, error: Exception) -> web.StreamResponse:
    """Log once under an id that the answer repeats, so that a report leads to its log line."""
    error_id = secrets.token_hex(6)
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unmatched"
    log.error("request_failed", error_id=error_id, method=request.method, route=route, exc_info=error)
    if request.get(STARTED):
        if request.transport is not None:
            request.transport.close()
        raise ConnectionResetError from None  # aiohttp ends the connection quietly; half an answer cannot be repaired
    detail = f"Something went wrong here, and it was logged as {error_id}; give this id to whoever runs the server."
    return Problem(500, "Internal error", detail, more={"error_id": error_id}).answer_to(request)


def _expected(error: Exception) -> Problem | None:
    """The problem behind an error that handlers are allowed to let through."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid(error)
    if isinstance(error, StoreUnavailable):
        log.warning("store_unavailable")
        detail = f"The database is away or full; nothing was stored. Try again in {STORE_RETRY_S} s."
        return Problem(503, "Storage unavailable", detail, headers={"Retry-After": str(STORE_RETRY_S)})
    if isinstance(error, Conflict):
        return Problem(409, "Conflict", "Something with the same name exists already; reload and try again.")
    return None


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The request loop's top: whatever a handler raises leaves as a problem document, unexpected errors logged once."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _from_http(request, error)
    except ConnectionError:
        raise  # the client went away; there is nobody to answer
    except Exception as error:  # noqa: BLE001 - the top of the request loop
        problem = _expected(error)
        if problem is None or request.get(STARTED):
            return _unexpected(request, error)
        return problem.answer_to(request)
