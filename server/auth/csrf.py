"""Refusing requests that another site's page sent with our caller's cookie."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from config.settings import Http
from server.auth.tokens import fingerprint, same
from server.problems import Problem
from server.routes import Principal

HEADER = "X-CSRF-Token"


def _cross_site() -> Problem:
    detail = "This request came from another site's page. Use the console of this server, or an API key."
    return Problem(403, "Cross-site request", detail)


def refuse_cross_site(request: web.Request, http: Http) -> None:
    """Raise a 403 problem when the browser says that another origin made this request.

    Sec-Fetch-Site decides where the browser sends it; older browsers send Origin, which must be ours: the public URL's
    or the one the request was addressed to. Programs send neither and pass, the token is checked besides.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise _cross_site()
        return
    origin = request.headers.get("Origin")
    if origin is None:
        return
    ours = {request.headers.get("Host", "").lower()} | ({urlsplit(http.public_url).netloc.lower()} - {""})
    if urlsplit(origin).netloc.lower() not in ours or not urlsplit(origin).netloc:
        raise _cross_site()


def require_token(request: web.Request, principal: Principal) -> None:
    """Raise a 403 problem unless the session's own token is in the header."""
    if not same(fingerprint(request.headers.get(HEADER, "")), principal.csrf_hash):
        detail = f"Send the csrf value of GET /api/session in the header {HEADER}; sign in again if it changed."
        raise Problem(403, "Missing request token", detail)
