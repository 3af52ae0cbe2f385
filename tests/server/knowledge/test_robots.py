from __future__ import annotations

import time

import pytest

from server.egress import Egress
from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import SourceDown
from server.knowledge.robots import MOST_BYTES, MOST_DELAY_S, MOST_SITEMAPS, Robots, fetch_robots
from tests.doubles.site import Page, SiteDouble

RULES = """
User-agent: frontdesk-crawler
Disallow: /cart
Disallow: /*.pdf$
Allow: /cart/help
Crawl-delay: 2.5

User-agent: *
Disallow: /
Sitemap: https://shop.example/a.xml
Sitemap: https://shop.example/b.xml
"""


def test_rules_are_those_of_this_crawler() -> None:
    rules = Robots(RULES, "frontdesk-crawler/0.1 (+https://shop.example)")
    assert rules.allows("https://shop.example/")
    assert not rules.allows("https://shop.example/cart/1")
    assert rules.allows("https://shop.example/cart/help")
    assert not rules.allows("https://shop.example/a.pdf")
    assert rules.allows("https://shop.example/a.pdf.html")
    assert rules.delay_s == 2.5
    assert rules.sitemaps == ["https://shop.example/a.xml", "https://shop.example/b.xml"]
    assert not Robots(RULES, "other").allows("https://shop.example/")


@pytest.mark.parametrize(
    ("line", "delay_s"),
    [
        ("Crawl-delay: 999999", MOST_DELAY_S),
        ("Crawl-delay: -4", 0.0),
        ("Crawl-delay: soon", 0.0),
        ("Request-rate: 1/5s", 5.0),
        ("Request-rate: 10/5s", 0.5),
        ("Request-rate: 0/5s", 0.0),
        ("Crawl-delay: nan", 0.0),
        ("Crawl-delay: inf", 0.0),
    ],
)
def test_pauses_are_sensible(line: str, delay_s: float) -> None:
    assert Robots(f"User-agent: *\n{line}\n", "x").delay_s == delay_s


def test_hostile_rules_cost_little() -> None:
    text = (
        "User-agent: *\n" + "Disallow: /" + "*a" * 1_000 + "b\n" + "Disallow: /x*y*z\n" * 20_000 + "Sitemap: x\n" * 900
    )
    rules = Robots(text, "x")
    started = time.process_time()
    assert rules.allows("https://shop.example/" + "a" * 1_400)
    assert time.process_time() - started < 2
    assert len(rules.sitemaps) == MOST_SITEMAPS


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_missing_file_allows_everything(status: int) -> None:
    async with SiteDouble({"/robots.txt": Page(b"User-agent: *\nDisallow: /", status=status)}).running() as site:
        egress = Egress([site.host])
        async with egress.running():
            rules = await fetch_robots(egress, site.base, "x")
        assert rules.allows(site.base + "/")
        assert rules.delay_s == 0
        assert rules.sitemaps == []


@pytest.mark.parametrize("page", [Page(status=500), Page(status=429), Page(b"x" * (MOST_BYTES + 1)), Page(delay_s=20)])
async def test_a_broken_file_forbids_everything_for_now(page: Page) -> None:
    async with SiteDouble({"/robots.txt": page}).running() as site:
        egress = Egress([site.host], timeout_s=0.5)
        async with egress.running():
            with pytest.raises(SourceDown, match=r"robots\.txt"):
                await fetch_robots(egress, site.base, "x")


async def test_a_redirected_file_counts_and_a_mark_before_it_does_not() -> None:
    pages = {
        "/robots.txt": Page(status=301, headers={"Location": "/rules.txt"}),
        "/rules.txt": Page(b"\xef\xbb\xbfUser-agent: *\nDisallow: /a\n", "text/plain"),
    }
    async with SiteDouble(pages).running() as site:
        egress = Egress([site.host])
        async with egress.running():
            rules = await fetch_robots(egress, site.base, "x")
            assert not rules.allows(site.base + "/a")
            with pytest.raises(SourceRefused, match="cannot be read"):
                await fetch_robots(egress, "http://127.0.0.1:1", "x")
