from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.knowledge.links import MOST_CHARACTERS, Scope, normal, shape, trap


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("https://Shop.Example", "https://shop.example/"),
        ("https://shop.example:443/a/../b#part", "https://shop.example/b"),
        ("http://shop.example:8080/a", "http://shop.example:8080/a"),
        ("https://shop.example./a/", "https://shop.example/a/"),
        ("https://shop.example/a?", "https://shop.example/a"),
        ("https://shop.example/a?b=2&a=1&utm_source=x&gclid=y", "https://shop.example/a?a=1&b=2"),
        ("https://shop.example/a?fbclid=y&PHPSESSID=z", "https://shop.example/a"),
        ("https://shop.example/a;jsessionid=12?b=1", "https://shop.example/a?b=1"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://[2606:4700::1]/x", "https://[2606:4700::1]/x"),
        ("mailto:a@b.example", ""),
        ("javascript:void(0)", ""),
        ("https://user@shop.example/", ""),
        ("https://shop.example/\\a", ""),
        ("https://shop.example/" + "a" * MOST_CHARACTERS, ""),
        ("https://shop.example:port/", ""),
        ("/relative", ""),
        ("", ""),
    ],
)
def test_each_page_has_one_spelling(text: str, whole: str) -> None:
    assert normal(text) == whole


@pytest.mark.parametrize(
    ("link", "whole"),
    [
        ("b", "https://shop.example/a/b"),
        ("../b?x=1", "https://shop.example/b?x=1"),
        ("/b/", "https://shop.example/b/"),
        ("?page=2", "https://shop.example/a/?page=2"),
        ("//other.example/b", "https://other.example/b"),
        ("  b \n", "https://shop.example/a/b"),
        ("b c", "https://shop.example/a/b%20c"),
    ],
)
def test_links_are_joined(link: str, whole: str) -> None:
    assert normal(link, "https://shop.example/a/?q=1") == whole


@given(st.text(max_size=60))
def test_a_normal_address_is_normal_already(text: str) -> None:
    for whole in (normal(f"https://shop.example/{text}"), normal(text, "https://shop.example/a/")):
        assert normal(whole) == whole


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/a/b/c", ""),
        ("/a/a/a/b", ""),
        ("/a/b/a/b/a/b/a/b", "path repeats itself"),
        ("/" + "/".join(str(n) for n in range(20)), "path too deep"),
        ("/photo.JPG", "not a page"),
        ("/feed.xml", "not a page"),
        ("/photo.html", ""),
        ("/v1.2/notes", ""),
        ("/", ""),
    ],
)
def test_traps_and_files_are_told_by_their_address(path: str, reason: str) -> None:
    assert trap(f"https://shop.example{path}") == reason


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/product/118", ""),
        ("/about", ""),
        ("/calendar/2031/07", "/calendar/#/#"),
        ("/day-2031-07-01", "/day-#-#-#"),
        ("/shop?colour=red", "/shop?"),
        ("/shop/3?page=2", "/shop/#?"),
    ],
)
def test_families_that_could_go_on_for_ever(path: str, family: str) -> None:
    assert shape(f"https://shop.example{path}") == family


def test_a_scope_knows_its_own() -> None:
    scope = Scope("https://shop.example/help/", "/help/")
    assert scope.start == "https://shop.example/help/"
    assert scope.public("http://shop.example/help/a") == "https://shop.example/help/a"
    assert scope.public("a?b", "https://shop.example/help/") == "https://shop.example/help/a?b"
    for other in (
        "https://www.shop.example/help/",
        "https://shop.example:8443/help/",
        "https://shop.example.evil/help/",
    ):
        assert scope.public(other) == ""
    assert scope.covers("https://shop.example/help/a")
    assert not scope.covers("https://shop.example/helpless")
    assert scope.fetchable("https://shop.example/help/a") == "https://shop.example/help/a"
    assert scope.at("/sitemap.xml") == "https://shop.example/sitemap.xml"


def test_a_scope_read_from_a_copy_keeps_the_sites_own_name() -> None:
    scope = Scope("http://127.0.0.1:8093/index.html", origin="https://shop.example")
    assert scope.start == "https://shop.example/index.html"
    assert scope.public("https://shop.example/a") == scope.public("http://127.0.0.1:8093/a") == "https://shop.example/a"
    assert scope.fetchable("https://shop.example/a?b=1") == "http://127.0.0.1:8093/a?b=1"
    assert scope.public("http://127.0.0.1:8094/a") == ""
