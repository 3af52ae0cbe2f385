from __future__ import annotations

import gzip

import pytest

from server.egress import EgressFailed, Response
from server.knowledge.links import Scope
from server.knowledge.sitemap import MOST_FILES, Sitemaps, parse_sitemap

SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def listing(*places: str, kind: str = "url") -> bytes:
    inner = "".join(f"<{kind}><loc> {place} </loc><lastmod>2026-10-12</lastmod></{kind}>" for place in places)
    outer = "urlset" if kind == "url" else "sitemapindex"
    return f'<?xml version="1.0"?><{outer} {SPACE}>{inner}</{outer}>'.encode()


class Files:
    """Files by address; counts who asks."""

    def __init__(self, **files: bytes | int) -> None:
        self.files = {f"https://shop.example/{name.replace('_', '.')}": body for name, body in files.items()}
        self.asked: list[str] = []

    async def __call__(self, url: str, _most: int) -> Response:
        self.asked.append(url)
        body = self.files.get(url, 404)
        if body == 0:
            raise EgressFailed("no answer")
        return Response(body, url, {}) if isinstance(body, int) else Response(200, url, {}, body)

    async def pages(self, *named: str) -> list[str]:
        found = await Sitemaps(self, Scope("https://shop.example/")).pages(list(named))
        return [page.removeprefix("https://shop.example") for page in found]


def test_pages_and_files_are_told_apart() -> None:
    assert parse_sitemap(listing("https://a.example/1", "https://a.example/2")) == (
        ["https://a.example/1", "https://a.example/2"],
        [],
    )
    assert parse_sitemap(listing("https://a.example/s.xml", kind="sitemap")) == ([], ["https://a.example/s.xml"])
    assert parse_sitemap(b"https://a.example/1\nrubbish\nhttps://a.example/2\n")[0] == [
        "https://a.example/1",
        "https://a.example/2",
    ]
    image = b"<urlset><url><loc>https://a.example/1</loc></url></urlset>"
    assert parse_sitemap(image)[0] == ["https://a.example/1"]


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><urlset><url><loc>https://a.example/&a;</loc></url></urlset>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><urlset></urlset>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><urlset><url><loc>&a;</loc></url></urlset>',
        b"<urlset><url><loc>&undefined;</loc></url>",
        b"<html><body>not found",
        b"\x00\xff\x00",
        b"",
    ],
)
def test_entities_and_rubbish_give_nothing(body: bytes) -> None:
    assert parse_sitemap(body) == ([], [])


def test_a_broken_file_gives_what_stood_before() -> None:
    assert parse_sitemap(listing("https://a.example/1")[:-20])[0] == ["https://a.example/1"]
    assert parse_sitemap(listing("https://a.example/" + "x" * 3_000))[0] == []


async def test_files_are_read_once_in_their_order() -> None:
    files = Files(
        index_xml=listing("https://shop.example/a.xml", "https://shop.example/index.xml", kind="sitemap"),
        a_xml=listing("https://shop.example/1", "http://shop.example/1", "https://other.example/2"),
        sitemap_xml=listing("https://shop.example/3"),
        gone_xml=0,
    )
    named = ("https://shop.example/index.xml", "https://shop.example/gone.xml", "https://other.example/s.xml")
    assert await files.pages(*named) == ["/3", "/1"]
    assert len(files.asked) == len(set(files.asked)) == 4


async def test_packed_files_are_read_within_limits() -> None:
    files = Files(
        a_gz=gzip.compress(listing("https://shop.example/1")),
        bomb_gz=gzip.compress(b"<urlset>" + bytes(30_000_000)),
        cut_gz=gzip.compress(listing("https://shop.example/2"))[:-30],
    )
    named = [f"https://shop.example/{name}.gz" for name in ("bomb", "cut", "a")]
    assert await files.pages(*named) == ["/1"]


async def test_an_index_without_end_ends() -> None:
    class Endless(Files):
        async def __call__(self, url: str, most: int) -> Response:
            await super().__call__(url, most)
            number = len(self.asked)
            following = [f"https://shop.example/{number}-{n}.xml" for n in range(60)]
            return Response(200, url, {}, listing(*following, kind="sitemap"))

    files = Endless()
    assert await files.pages() == []
    assert len(files.asked) == MOST_FILES
