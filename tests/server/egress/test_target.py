from __future__ import annotations

import socket
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.egress.contract import EgressRefused
from server.egress.target import MOST_CHARACTERS, Allowed, read

NOBODY = Allowed()


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("https://shop.example/a?b=c", "https://shop.example/a?b=c"),
        ("HTTP://Shop.Example:80/", "http://shop.example/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://shop.example./", "https://shop.example./"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:4700::1111]:443/", "http://[2606:4700::1111]:443/"),
        ("https://shop_1.example/", "https://shop_1.example/"),
    ],
)
def test_proper_addresses_are_read(text: str, called: str) -> None:
    assert str(read(text, NOBODY).url).rstrip("/") == called.rstrip("/")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://shop.example/" + "a" * MOST_CHARACTERS, "longer"),
        ("https://shop.example/a b", "space"),
        ("https://shop.example/\u202eabc", "printed"),
        ("shop.example", "http and https"),
        ("https:///path", "no host"),
        ("https://shop.example:99999/", "not a web address"),
        ("https://" + "a" * 64 + ".example/", "proper name"),
        ("https://" + "abc." * 70 + "example/", "proper name"),
        ("https://a..example/", "proper name"),
        ("https://shop.example:8443/", "port 8443"),
    ],
)
def test_improper_addresses_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(EgressRefused, match=reason):
        read(text, NOBODY)


def test_reasons_carry_no_path_or_query() -> None:
    with pytest.raises(EgressRefused) as caught:
        read("http://127.0.0.1/secret?token=secret", NOBODY)
    assert "secret" not in caught.value.reason


def test_a_named_host_opens_its_ports_only() -> None:
    allowed = Allowed(["127.0.0.1:8081", "crm.internal", "[::1]:9000", "localhost.:7000"])
    assert read("http://127.0.0.1:8081/", allowed).allowed
    assert read("https://crm.internal/", allowed).allowed
    assert read("http://CRM.internal./", allowed).allowed
    assert read("http://[::1]:9000/", allowed).allowed
    assert read("http://localhost:7000/", allowed).allowed
    for text in ("http://127.0.0.1:8082/", "http://127.0.0.1/", "http://crm.internal:8080/", "http://127.0.0.2:8081/"):
        with pytest.raises(EgressRefused):
            read(text, allowed)


@given(st.from_regex(r"\A(0[xX]?[0-9a-fA-F]{0,9}|[0-9]{1,11})(\.(0[xX]?[0-9a-f]{0,8}|[0-9]{1,8})){0,3}\.?\Z"))
def test_no_spelling_that_the_system_reads_as_an_address_counts_as_a_name(host: str) -> None:
    with suppress(OSError):
        meant = socket.inet_ntoa(socket.inet_aton(host.removesuffix(".")))
        with suppress(EgressRefused):
            assert str(read(f"http://{host}/", NOBODY).address) == meant


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, f"http://{text}", f"https://shop.example{text}", f"http://{text}@shop.example/"):
        with suppress(EgressRefused):
            target = read(whole, NOBODY)
            assert target.port in {80, 443}
            assert target.host == (target.url.raw_host or "").lower().removesuffix(".")
            assert target.url.raw_user is None
