"""Addresses as a crawl keeps them: one spelling per page, what belongs to the site, and what smells of a trap."""

from __future__ import annotations

import re
from collections import Counter

from yarl import URL

MOST_CHARACTERS = 1_500  # of an address
MOST_SEGMENTS = 16  # of a path
MOST_REPEATS = 3  # of one segment in a path: /a/b/a/b/a/b/a/b comes from a broken relative link
PORTS = {"http": 80, "https": 443}
_TRACKING = re.compile(
    r"(utm_|hsa_|_hs|mc_|oly_|vero_|pk_|mtm_|piwik_).*|"
    r"gclid|gclsrc|dclid|gbraid|wbraid|fbclid|msclkid|yclid|twclid|ttclid|igshid|li_fat_id|srsltid|_ga|_gl|"
    r"phpsessid|jsessionid|aspsessionid.*|sessionid|cfid|cftoken",
    re.IGNORECASE,
)
_SESSION_IN_PATH = re.compile(r";(jsessionid|phpsessid|sid)=[^/;?]*", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")
_OTHER_FILES = re.compile(
    r"\.(7z|aac|avi|avif|bmp|bz2|css|csv|dmg|docx?|eot|exe|flac|gif|gz|ico|ics|iso|jpe?g|js|json|m4[av]|map|mkv|mov|"
    r"mp[34]|mpe?g|og[gv]|otf|png|pptx?|rar|rss|svg|tar|tiff?|ttf|wav|web[mp]|woff2?|xlsx?|xml|zip)",
    re.IGNORECASE,
)


def normal(text: str, base: str = "") -> str:
    """The one spelling of an address, joined to ``base``; empty when it is no web address.

    Fragment, tracking and session parameters are dropped, the rest of the query is sorted; a trailing slash stays as
    it is, since servers tell the two apart.
    """
    text = text.strip()
    if not text or len(text) > MOST_CHARACTERS or "\\" in text or not text.isprintable():
        return ""
    try:
        url = URL(base).join(URL(text)) if base else URL(text)
        if url.scheme not in PORTS or not url.raw_host or url.raw_user or url.raw_password:
            return ""
        port = "" if url.port == PORTS[url.scheme] else f":{url.port}"
        host = f"[{url.raw_host}]" if ":" in url.raw_host else url.raw_host.lower().removesuffix(".")
        path, query = _SESSION_IN_PATH.sub("", url.raw_path) or "/", url.raw_query_string
    except ValueError:
        return ""
    pairs = sorted(pair for pair in query.split("&") if pair and not _TRACKING.fullmatch(pair.partition("=")[0]))
    whole = f"{url.scheme}://{host}{port}{path}{'?' + '&'.join(pairs) if pairs else ''}"
    return whole if len(whole) <= MOST_CHARACTERS else ""


def trap(url: str) -> str:
    """Why an address is not worth a request whatever it leads to; empty when it is."""
    path = URL(url).raw_path
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) > MOST_SEGMENTS:
        return "path too deep"
    if segments and max(Counter(segments).values()) > MOST_REPEATS:
        return "path repeats itself"
    if _OTHER_FILES.fullmatch(path[path.rfind(".") :] if "." in path else ""):
        return "not a page"
    return ""


def shape(url: str) -> str:
    """The family of addresses that could go on for ever: one path's queries, or dates; empty when it is no such family.

    ``/shop?colour=red&size=2`` and ``/shop?page=9`` are one family, ``/calendar/2031/07`` and ``/calendar/2031/08``
    another; ``/product/118`` is in none, since one number is how shops name their products.
    """
    parts = URL(url)
    general, numbers = _DIGITS.subn("#", parts.raw_path)
    if parts.raw_query_string:
        return f"{general}?"
    return general if numbers > 1 else ""


class Scope:
    """Which addresses are the site's, and where they are fetched.

    ``home`` is where the crawl starts; ``prefix`` is the part of the site that is read; ``origin`` (scheme and host) is
    what the site calls itself when it is served elsewhere for reading, as a preview or a copy on this machine is.
    """

    def __init__(self, home: str, prefix: str = "/", origin: str = "") -> None:
        self._home = URL(home).origin()
        self._origin = URL(origin).origin() if origin else self._home
        self._prefix = prefix or "/"
        self.start = self.public(home)

    def public(self, text: str, base: str = "") -> str:
        """The site's own spelling of an address, empty when it is not of this host; ``base`` is a public address."""
        whole = normal(text, base)
        if not whole:
            return ""
        url = URL(whole)
        if not (_same_place(url, self._origin) or _same_place(url, self._home)):
            return ""
        return str(self._origin) + whole[len(str(url.origin())) :]

    def at(self, path: str) -> str:
        """The public address of a path that begins with a slash."""
        return f"{self._origin}{path}"

    def covers(self, public: str) -> bool:
        """Whether a public address is in the part of the site that is read; the start always is."""
        return public == self.start or public[len(str(self._origin)) :].startswith(self._prefix)

    def fetchable(self, public: str) -> str:
        """Where a public address is fetched."""
        return str(self._home) + public[len(str(self._origin)) :]


def _same_place(url: URL, origin: URL) -> bool:
    if url.raw_host != origin.raw_host:
        return False
    return url.port == origin.port or {url.port, origin.port} == {80, 443}
