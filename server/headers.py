"""Headers that every answer carries, set right before its head is written, so that streams have them too."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from server.problems import STARTED

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
OWN_ONLY = ("/api/", "/console")  # never useful to another site's page, not even as an opaque resource


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Fill in what the route did not decide itself; a route with its own CSP decides who may frame it."""
    request[STARTED] = True
    headers = response.headers
    headers["Server"] = "frontdesk"
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "same-origin" if request.path.startswith("/console") else "no-referrer")
    headers.setdefault("Cache-Control", "no-store")
    # A 304 renews the headers of the copy that the browser keeps: a policy of ours would replace the page's own.
    if "Content-Security-Policy" not in headers and response.status != HTTPStatus.NOT_MODIFIED:
        page = response.content_type == "text/html"
        headers["Content-Security-Policy"] = PAGE_POLICY if page else DATA_POLICY
        headers["X-Frame-Options"] = "DENY"
    if request.path.startswith(OWN_ONLY):
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
