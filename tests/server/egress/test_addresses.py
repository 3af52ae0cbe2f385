from __future__ import annotations

from ipaddress import ip_address

import pytest

from server.egress.addresses import address_of, why_not_allowed, why_not_public


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.255.255.255", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("100.100.100.200", "carrier-grade NAT"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "a cloud's metadata service"),
        ("169.254.169.254", "link-local"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.192", "reserved for protocols"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "a 6to4 relay"),
        ("192.168.1.1", "private"),
        ("198.18.0.1", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::7f00:1", "reserved"),
        ("::ffff:8.8.8.8", "IPv4 inside IPv6"),
        ("::ffff:0:127.0.0.1", "reserved"),
        ("64:ff9b::7f00:1", "NAT64 of loopback"),
        ("64:ff9b::a9fe:a9fe", "NAT64 of link-local"),
        ("64:ff9b:1::7f00:1", "reserved"),
        ("100::1", "reserved"),
        ("2001::1", "Teredo"),
        ("2001:20::1", "reserved for protocols"),
        ("2001:db8::1", "documentation"),
        ("2002:7f00:1::", "6to4"),
        ("3fff::1", "documentation"),
        ("4000::1", "reserved"),
        ("5f00::1", "reserved"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("2606:4700::1%eth0", "link-local"),
        ("fec0::1", "reserved"),
        ("ff02::1", "multicast"),
    ],
)
def test_addresses_that_are_not_public_are_named(text: str, kind: str) -> None:
    assert why_not_public(ip_address(text)) == kind


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"],
)
def test_public_addresses_are_public(text: str) -> None:
    assert why_not_public(ip_address(text)) == ""


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.0.0.1", "100.64.0.1", "fd00::1", "::1", "::ffff:10.0.0.1", "8.8.8.8"]
)
def test_a_named_host_may_be_inside(text: str) -> None:
    assert why_not_allowed(ip_address(text)) == ""


@pytest.mark.parametrize("text", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "2002:7f00:1::"])
def test_even_a_named_host_may_not_be_everything(text: str) -> None:
    assert why_not_allowed(ip_address(text))


@pytest.mark.parametrize("text", ["127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "1.2.3.4 ", "", "example"])
def test_only_the_canonical_spelling_is_an_address(text: str) -> None:
    assert address_of(text) is None
