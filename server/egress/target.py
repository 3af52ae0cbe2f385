"""Reading an address that a stranger chose: one parser for the check and for the request, and refusal of all doubt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from yarl import URL

from server.egress.addresses import Address, address_of, why_not_allowed, why_not_public
from server.egress.contract import EgressRefused

MOST_CHARACTERS = 4_096  # of an address
MOST_NAME = 253  # characters of a host name
PORTS = frozenset({80, 443})
SCHEMES = frozenset({"http", "https"})
_DOUBTFUL = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_INNER_NAMES = frozenset({"localhost", "local", "internal", "localdomain", "lan", "intranet", "corp", "home"})
_INNER_TAILS = (".home.arpa", ".in-addr.arpa", ".ip6.arpa")


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be resolved; ``address`` is set where the host is one, ``allowed`` where it was named."""

    url: URL
    host: str
    port: int
    address: Address | None
    allowed: bool


class Allowed:
    """Hosts the installer named: ``name`` (ports 80 and 443) or ``name:port``; they may be inside this network."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._pairs: set[tuple[str, int]] = set()
        for entry in entries:
            host, separator, port = entry.rpartition(":") if re.search(r":\d+$", entry) else (entry, "", "")
            name = _plain(host.lower().strip("[]"))
            self._pairs.update({(name, int(port))} if separator else {(name, each) for each in PORTS})

    def __contains__(self, pair: tuple[str, int]) -> bool:
        return pair in self._pairs

    def judge(self, host: str, port: int, address: Address) -> None:
        """Refuse an address that this host and port must not lead to; raises EgressRefused."""
        allowed = (host, port) in self._pairs
        kind = why_not_allowed(address) if allowed else why_not_public(address)
        if kind:
            hint = "" if allowed else f"; if it is meant, name {host}:{port} in allow_hosts"
            raise EgressRefused(f"{host} leads to {address}, which is not a public address ({kind}){hint}")


def read(text: str, allowed: Allowed) -> Target:
    """The target of an address, checked as far as that goes without the name service; raises EgressRefused."""
    if len(text) > MOST_CHARACTERS:
        raise EgressRefused(f"the address is longer than {MOST_CHARACTERS} characters")
    if _DOUBTFUL.search(text):
        raise EgressRefused("the address contains a space, a control character or a backslash")
    if not text.isprintable():
        raise EgressRefused("the address contains characters that cannot be printed")
    try:
        url = URL(text)
        host, port = (url.raw_host or "").lower(), url.port
    except ValueError:
        raise EgressRefused("this is not a web address; write it like https://shop.example/page") from None
    if url.scheme not in SCHEMES:
        raise EgressRefused("only http and https addresses are called")
    if not host or port is None:
        raise EgressRefused("the address names no host")
    if url.raw_user is not None or url.raw_password is not None or "@" in url.raw_authority:
        raise EgressRefused("the address contains a user name; credentials never stand in an address")
    return _target(url, _plain(host), port, allowed)


def _target(url: URL, host: str, port: int, allowed: Allowed) -> Target:
    named = (host, port) in allowed
    address = address_of(host)
    if address is None:
        _check_name(host, named=named)
    if not named and port not in PORTS:
        raise EgressRefused(f"port {port} is not called; name {host}:{port} in allow_hosts if it is meant")
    if address is not None:
        allowed.judge(host, port, address)
    return Target(url, host, port, address, named)


def _check_name(host: str, *, named: bool) -> None:
    labels = host.split(".")
    if len(host) > MOST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused("the host of the address is not a proper name")
    if _NUMBER.fullmatch(labels[-1]):  # 0x7f.1, 2130706433: resolvers read these as addresses
        raise EgressRefused("the host of the address is a number in an unusual spelling")
    inner = len(labels) == 1 or labels[-1] in _INNER_NAMES or host.endswith(_INNER_TAILS)
    if inner and not named:
        raise EgressRefused(f"{host} is a name inside a network; name it in allow_hosts if it is meant")


def _plain(host: str) -> str:
    return host.removesuffix(".")
