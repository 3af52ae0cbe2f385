"""Which network addresses belong to the public internet, so that a stranger's link cannot reach into this network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_SPECIAL_4 = (
    (IPv4Network("0.0.0.0/8"), "unspecified"),
    (IPv4Network("10.0.0.0/8"), "private"),
    (IPv4Network("100.64.0.0/10"), "carrier-grade NAT"),
    (IPv4Network("127.0.0.0/8"), "loopback"),
    (IPv4Network("168.63.129.16/32"), "a cloud's metadata service"),
    (IPv4Network("169.254.0.0/16"), "link-local"),
    (IPv4Network("172.16.0.0/12"), "private"),
    (IPv4Network("192.0.0.0/24"), "reserved for protocols"),
    (IPv4Network("192.0.2.0/24"), "documentation"),
    (IPv4Network("192.31.196.0/24"), "reserved for protocols"),
    (IPv4Network("192.52.193.0/24"), "reserved for protocols"),
    (IPv4Network("192.88.99.0/24"), "a 6to4 relay"),
    (IPv4Network("192.168.0.0/16"), "private"),
    (IPv4Network("192.175.48.0/24"), "reserved for protocols"),
    (IPv4Network("198.18.0.0/15"), "benchmarking"),
    (IPv4Network("198.51.100.0/24"), "documentation"),
    (IPv4Network("203.0.113.0/24"), "documentation"),
    (IPv4Network("224.0.0.0/4"), "multicast"),
    (IPv4Network("240.0.0.0/4"), "reserved"),
)
_SPECIAL_6 = (
    (IPv6Network("::/128"), "unspecified"),
    (IPv6Network("::1/128"), "loopback"),
    (IPv6Network("::ffff:0:0/96"), "IPv4 inside IPv6"),
    (IPv6Network("2001::/32"), "Teredo"),
    (IPv6Network("2001::/23"), "reserved for protocols"),
    (IPv6Network("2001:db8::/32"), "documentation"),
    (IPv6Network("2002::/16"), "6to4"),
    (IPv6Network("2620:4f:8000::/48"), "reserved for protocols"),
    (IPv6Network("3fff::/20"), "documentation"),
    (IPv6Network("fc00::/7"), "private"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("ff00::/8"), "multicast"),
)
_GLOBAL_6 = IPv6Network("2000::/3")  # the only unicast space that is handed out
_NAT64 = IPv6Network("64:ff9b::/96")  # how an IPv6-only network reaches IPv4: judged by the IPv4 address inside
_INSIDE = frozenset({"private", "loopback", "carrier-grade NAT"})  # what an allowed name may resolve to


def address_of(text: str) -> Address | None:
    """The address that ``text`` is in its one canonical spelling, without a zone; None for everything else."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def why_not_public(address: Address) -> str:
    """What kind of address this is when it is not a public one ("loopback"); empty when it is public."""
    if isinstance(address, IPv4Address):
        return _special_4(address)
    if address.scope_id:
        return "link-local"
    if address in _NAT64:
        inner = _special_4(IPv4Address(int(address) & 0xFFFF_FFFF))
        return f"NAT64 of {inner}" if inner else ""
    for network, kind in _SPECIAL_6:
        if address in network:
            return kind
    return "" if address in _GLOBAL_6 and address.is_global else "reserved"


def why_not_allowed(address: Address) -> str:
    """Like why_not_public for a host that the installer named: it may be private or on this machine, nothing else."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    kind = why_not_public(mapped or address)
    return "" if kind in _INSIDE else kind


def _special_4(address: IPv4Address) -> str:
    for network, kind in _SPECIAL_4:
        if address in network:
            return kind
    return "" if address.is_global else "reserved"
