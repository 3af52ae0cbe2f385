from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.knowledge.page_head import MOST_LINKS, READ_BYTES, TAG_CHARACTERS, Head, read_head


def test_a_page_is_read() -> None:
    page = b"""<!DOCTYPE html><html><head><TITLE lang=en>
      Lamps &amp; wool </TITLE><base href="/help/"><link rel="stylesheet canonical" href='/a?b=1&amp;c=2'>
      <meta charset=utf-8></head><body><a class="x > y" href="one">1</a><A HREF=two>2</A><a
      href = 'three' >3</a><area href="four"><a name="five">no</a><a href="one">again</a><abbr href="no">x</abbr>
      <a rel="nofollow noopener" href="six">6</a></body></html>"""
    assert read_head(page) == Head(
        title="Lamps & wool", base="/help/", canonical="/a?b=1&c=2", links=("one", "two", "three", "four")
    )


def test_what_only_looks_like_a_link_is_none() -> None:
    page = b"""<!-- <a href="c">c</a> --><script>"<a href='s'>"</script><style><a href=t></style>
      <template><a href="u">u</a></template><textarea><a href="v"></textarea><svg><title>no</title><a href="w"/></svg>
      <title>Yes</title><title>No</title><a href="ok">ok</a><a href="never closed"""
    assert read_head(page) == Head(title="Yes", links=("ok",))


@pytest.mark.parametrize("unclosed", [b"<!-- ", b"<script>", b"<style>"])
def test_what_never_ends_takes_the_rest_of_the_page(unclosed: bytes) -> None:
    assert read_head(b'<a href="a">a</a>' + unclosed + b'<a href="b">b</a>').links == ("a",)


@pytest.mark.parametrize(
    ("meta", "header", "index", "follow"),
    [
        ("", "", True, True),
        ("noindex", "", False, True),
        ("NOINDEX,NOFOLLOW", "", False, False),
        ("none", "", False, False),
        ("all, max-snippet:-1", "", True, True),
        ("", "noindex", False, True),
        ("", "otherbot: nofollow", True, False),
        ("index", "noarchive", True, True),
    ],
)
def test_pages_may_forbid_themselves(meta: str, header: str, index: bool, follow: bool) -> None:
    head = read_head(f'<meta name="Robots" content="{meta}">'.encode(), "text/html", header)
    assert (head.index, head.follow) == (index, follow)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<title>Käse</title>".encode(), "text/html"),
        ("<title>Käse</title>".encode("latin-1"), "text/html; charset=iso-8859-1"),
        ("<meta charset='windows-1252'><title>Käse</title>".encode("cp1252"), "text/html"),
        ("<title>Käse</title>".encode("utf-16"), "text/html"),
        ("<title>Käse</title>".encode(), "text/html; charset=nonsense"),
    ],
)
def test_letters_are_read_as_they_were_meant(body: bytes, content_type: str) -> None:
    assert read_head(body, content_type).title == "Käse"


def test_numbers_are_bounded() -> None:
    many = b"".join(b'<a href="%d">' % number for number in range(MOST_LINKS + 50))
    assert len(read_head(many).links) == MOST_LINKS
    assert read_head(b'<a href="' + b"x" * TAG_CHARACTERS + b'">x</a><a href="b">').links == ("b",)
    assert read_head(b" " * READ_BYTES + b'<a href="late">').links == ()


@pytest.mark.parametrize(
    "piece",
    [
        b'<a "',
        b"<a '",
        b"<!--",
        b"<a ",
        b"<script",
        b"</",
        b'<a href="',
        b"<title>",
        b"<a =\"'",
        b"&#",
        b"<a a" + b" a" * 900,
    ],
)
def test_hostile_pages_take_no_more_time_than_long_ones(piece: bytes) -> None:
    page = piece * (READ_BYTES // len(piece) + 1)
    started = time.process_time()
    read_head(page)
    assert time.process_time() - started < 4.0  # 0.1 to 1 s alone


@given(st.binary(max_size=400))
def test_any_bytes_are_read(body: bytes) -> None:
    assert isinstance(read_head(b"<a " + body + b"<title>" + body), Head)
