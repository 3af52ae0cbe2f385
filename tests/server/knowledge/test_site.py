from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.knowledge import Crawl
from server.egress import Egress
from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed, Fetched, Gone, Item, Known, SourceDown, Unchanged
from server.knowledge.site import SiteConfig, SiteReader
from tests.doubles.site import Page, SiteDouble, html

DEMO = Path(__file__).parents[3] / "config" / "demo" / "site"
EXAMPLE = "https://marlowandpine.example"


class Watch:
    """A time of day that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


class Reading:
    """A reader of one double, and what it found last."""

    def __init__(self, site: SiteDouble, egress: Egress, crawl: Crawl) -> None:
        self.site = site
        self.watch = Watch()
        self.reader = SiteReader(egress, crawl, now=self.watch.now, sleep=self.watch.sleep)
        self.frontier: dict[str, Any] = {}
        self.known: dict[str, Known] = {}
        self.config: dict[str, Any] = {"url": site.base + "/"}

    def items(self) -> AsyncIterator[Item]:
        return self.reader.read(self.config, self.frontier, self.known)

    async def all(self) -> list[Item]:
        found = []
        async for item in self.items():
            self.keep(item)
            found.append(item)
        return found

    def keep(self, item: Item) -> None:
        """What the database would do, and the frontier through JSON as it would be stored."""
        assert json.loads(json.dumps(self.frontier)) == self.frontier
        if isinstance(item, Fetched):
            self.known[item.uri] = Known(item.etag, item.last_modified, item.raw_digest)
        elif isinstance(item, Gone):
            del self.known[item.uri]

    async def paths(self) -> list[str]:
        """Paths of everything that was read, in order."""
        items = await self.all()
        assert all(isinstance(item, Fetched) for item in items), items
        return [item.uri.removeprefix(self.site.base) for item in items]

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.frontier["counts"])


@asynccontextmanager
async def reading(pages: dict[str, Page], **crawl: Any) -> AsyncIterator[Reading]:
    async with SiteDouble(pages).running() as site:
        settings = Crawl(delay_s=crawl.pop("delay_s", 0), allow_hosts=(site.host,), **crawl)
        egress = Egress(settings.allow_hosts, max_bytes=settings.max_bytes, timeout_s=5)
        async with egress.running():
            yield Reading(site, egress, settings)


def robots(text: str) -> Page:
    return Page(text.encode(), "text/plain")


async def test_links_are_followed_breadth_first_within_the_host() -> None:
    pages = {
        "/": html(
            "Start", "/a", "b/", "https://elsewhere.example/", "mailto:x@y.example", "/a#part", "/a?utm_source=x"
        ),
        "/a": html("A", "/c", "/"),
        "/b/": html("B", "../c", "d"),
        "/c": html("C"),
        "/b/d": html("D"),
    }
    async with reading(pages) as crawl:
        items = await crawl.all()
        assert [item.uri.removeprefix(crawl.site.base) for item in items] == ["/", "/a", "/b/", "/c", "/b/d"]
        first = items[0]
        assert isinstance(first, Fetched)
        assert (first.title, first.mime, first.body, first.url) == ("Start", "text/html", pages["/"].body, first.uri)
        assert first.etag
        assert crawl.site.hits["/a"] == 1
        assert crawl.frontier["finished"]
        assert crawl.frontier["queue"] == []


async def test_a_thousand_unchanged_pages_send_no_body() -> None:
    pages = {"/": html("Start", *[f"/page/{number}" for number in range(50)])}
    for number in range(999):
        follow = [f"/page/{n}" for n in range(number * 20, number * 20 + 20) if n < 999]
        pages[f"/page/{number}"] = html(f"Page {number}", *follow, text=f"Text of page {number}")
    async with reading(pages) as crawl:
        first = await crawl.all()
        assert sum(isinstance(item, Fetched) for item in first) == 1_000
        bodies = crawl.site.bodies
        second = await crawl.all()
        assert sum(isinstance(item, Unchanged) for item in second) == len(second) == 1_000
        assert crawl.site.bodies == bodies
        assert crawl.frontier["bytes"] == 0


async def test_without_validators_the_bytes_decide() -> None:
    pages = {"/": html("Start", "/a"), "/a": html("A")}
    for page in pages.values():
        page.etag = False
    async with reading(pages) as crawl:
        await crawl.all()
        pages["/a"].body = html("A new").body
        items = await crawl.all()
        assert [type(item) for item in items] == [Unchanged, Fetched]


async def test_last_modified_is_sent_back() -> None:
    pages = {"/": Page(b"<title>x</title>", etag=False, headers={"Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"})}
    async with reading(pages) as crawl:
        await crawl.all()
        await crawl.all()
        assert crawl.site.headers["/"]["If-Modified-Since"] == "Wed, 21 Oct 2026 07:28:00 GMT"


async def test_a_dropped_crawl_goes_on_where_it_was() -> None:
    pages = {f"/p/{n}": html(f"P{n}", f"/p/{2 * n}", f"/p/{2 * n + 1}") for n in range(1, 64)}
    pages["/"] = html("Start", "/p/1")
    async with reading(pages) as crawl:
        found: list[str] = []
        stored = "{}"
        for _ in range(40):
            crawl.frontier = json.loads(stored)
            taken = 0
            async for item in crawl.items():
                assert isinstance(item, Fetched)
                found.append(item.uri)
                crawl.keep(item)
                stored = json.dumps(crawl.frontier)
                taken += 1
                if taken == 5:
                    break
            if crawl.frontier["finished"]:
                break
        assert len(found) == len(set(found)) == 64
        assert {uri.removeprefix(crawl.site.base) for uri in found} == set(pages)
        assert {path: n for path, n in crawl.site.hits.items() if n > 1 and path != "/robots.txt"} == {"/": 2}


async def test_pages_that_left_are_gone() -> None:
    pages = {"/": html("Start", "/a", "/b", "/c", "/d"), **{f"/{name}": html(name) for name in "abcd"}}
    async with reading(pages) as crawl:
        await crawl.all()
        del pages["/a"]
        pages["/b"] = Page(status=410)
        pages["/c"] = Page(status=301, headers={"Location": "/moved"})
        pages["/moved"] = html("Moved")
        pages["/d"] = html("d", head='<meta name="robots" content="noindex">')
        items = {item.uri.removeprefix(crawl.site.base): item for item in await crawl.all()}
        assert {path for path, item in items.items() if isinstance(item, Gone)} == {"/a", "/b", "/c", "/d"}
        assert isinstance(items["/moved"], Fetched)
        assert isinstance(items["/"], Unchanged)


async def test_a_changed_page_is_read_and_its_new_links_followed_at_their_depth() -> None:
    pages = {"/": html("Start", "/a"), "/a": html("A", "/b"), "/b": html("B")}
    async with reading(pages, max_depth=3) as crawl:
        await crawl.all()
        pages["/b"] = html("B new", "/c")
        pages["/c"] = html("C", "/d")
        pages["/d"] = html("too deep")
        items = await crawl.all()
        assert [item.uri[-1] for item in items if isinstance(item, Fetched)] == ["b", "c"]


async def test_an_unlinked_page_stays_while_it_answers() -> None:
    pages = {"/": html("Start", "/a"), "/a": html("A")}
    async with reading(pages) as crawl:
        await crawl.all()
        pages["/"] = html("Start without links")
        assert [type(item) for item in await crawl.all()] == [Fetched, Unchanged]


async def test_robots_forbids_and_slows() -> None:
    rules = "User-agent: *\nDisallow: /private\nAllow: /private/open\nCrawl-delay: 3\n"
    pages = {
        "/robots.txt": robots(rules),
        "/": html("Start", "/private/a", "/private/open", "/b"),
        "/private/a": html("secret"),
        "/private/open": html("open"),
        "/b": html("B"),
    }
    async with reading(pages, delay_s=0.5) as crawl:
        assert await crawl.paths() == ["/", "/private/open", "/b"]
        assert crawl.site.hits["/private/a"] == 0
        assert set(crawl.watch.slept) == {0.5, 3.0}


async def test_rules_for_this_crawler_come_first_and_new_ones_remove_pages() -> None:
    pages = {"/": html("Start", "/a"), "/a": html("A")}
    async with reading(pages) as crawl:
        await crawl.all()
        pages["/robots.txt"] = robots("User-agent: frontdesk-crawler\nDisallow: /a\n\nUser-agent: *\nDisallow: /\n")
        assert [type(item) for item in await crawl.all()] == [Unchanged, Gone]


async def test_a_broken_robots_file_forbids_for_now() -> None:
    async with reading({"/": html("Start"), "/robots.txt": Page(status=503)}) as crawl:
        with pytest.raises(SourceDown, match=r"robots\.txt answers 503") as caught:
            await crawl.all()
        assert caught.value.retry_s
        assert crawl.site.asked() == set()
        crawl.site.pages["/robots.txt"] = Page(status=403)
        assert await crawl.paths() == ["/"]


async def test_a_forbidden_start_is_refused() -> None:
    async with reading({"/": html("x"), "/robots.txt": robots("User-agent: *\nDisallow: /\n")}) as crawl:
        with pytest.raises(SourceRefused, match="forbids"):
            await crawl.all()


async def test_the_demo_site_gives_its_eleven_pages_under_its_own_name() -> None:
    async with reading({}) as crawl:
        crawl.site.serve_folder(DEMO)
        crawl.config |= {"url": crawl.site.base + "/index.html", "origin": EXAMPLE}
        items = await crawl.all()
        listed = {path.relative_to(DEMO).as_posix() for path in DEMO.rglob("*.html")} - {"staff/rota.html"}
        assert len(items) == len(listed) == 11
        assert {item.uri for item in items} == {f"{EXAMPLE}/{name}" for name in listed}
        assert crawl.site.hits["/staff/rota.html"] == 0
        assert [type(item) for item in await crawl.all()] == [Unchanged] * 11


async def test_the_demo_site_from_its_root_is_the_same_eleven() -> None:
    async with reading({}) as crawl:
        crawl.site.serve_folder(DEMO)
        crawl.config |= {"origin": EXAMPLE}
        items = await crawl.all()
        assert len(items) == 11
        assert crawl.counts["the same page under another address"] == 1


async def test_canonical_addresses_win_and_never_lose_a_page() -> None:
    pages = {
        "/": html("Start", "/a?sort=1", "/x", "/y", "/far"),
        "/a?sort=1": html("A", head='<link rel="canonical" href="/a">', text="A sorted"),
        "/a": html("A", head='<link rel="canonical" href="/a">'),
        "/x": html("X", head='<link rel="canonical" href="/y">'),
        "/y": html("Y", head='<link rel="canonical" href="/x">'),
        "/far": html("Far", head='<link rel="canonical" href="https://elsewhere.example/">'),
    }
    async with reading(pages) as crawl:
        assert sorted(await crawl.paths()) == ["/", "/a", "/far", "/y"]


async def test_pages_may_forbid_themselves_and_their_links() -> None:
    pages = {
        "/": html("Start", "/list", "/shy"),
        "/list": html("List", "/found", head='<meta name="robots" content="noindex, follow">'),
        "/found": html("Found"),
        "/shy": html("Shy", "/hidden", head='<meta name="ROBOTS" content="nofollow">'),
        "/hidden": html("Hidden"),
    }
    pages["/found"].headers["X-Robots-Tag"] = "nofollow"
    async with reading(pages) as crawl:
        assert await crawl.paths() == ["/", "/shy", "/found"]


async def test_only_readable_types_are_read() -> None:
    pages = {
        "/": html("Start", "/a.pdf", "/b.txt", "/c", "/d.md", "/e.png", "/f"),
        "/a.pdf": Page(b"%PDF-1.7", "application/pdf"),
        "/b.txt": Page(b"text", "text/plain"),
        "/c": Page(b"\x00" * 100, "image/png"),
        "/d.md": Page(b"# D", "application/octet-stream"),
        "/e.png": Page(b"x", "image/png"),
        "/f": Page(b"{}", "application/json"),
    }
    async with reading(pages) as crawl:
        items = await crawl.all()
        mimes = [item.mime for item in items if isinstance(item, Fetched)]
        assert mimes == ["text/html", "application/pdf", "text/plain", "text/markdown"]
        assert crawl.site.hits["/e.png"] == 0


async def test_size_pages_and_depth_are_capped() -> None:
    pages = {f"/{n}": html(f"P{n}", f"/{n + 1}") for n in range(30)}
    pages["/"] = html("Start", "/0", "/large")
    pages["/large"] = Page(b"x" * 5_000)
    async with reading(pages, max_bytes=4_000, max_depth=5) as crawl:
        items = await crawl.all()
        assert [item.uri for item in items if isinstance(item, Failed)] == [crawl.site.base + "/large"]
        assert sum(isinstance(item, Fetched) for item in items) == 6
    async with reading(pages, max_pages=10, max_depth=50) as crawl:
        assert len(await crawl.all()) == 10
        assert "stopped at 10 pages" in crawl.frontier["notes"][0]


async def test_a_short_wait_is_waited_here() -> None:
    pages = {"/": html("Start", "/a"), "/a": html("A")}
    pages["/a"].failures = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"})]
    async with reading(pages) as crawl:
        assert await crawl.paths() == ["/", "/a"]
        assert 7.0 in crawl.watch.slept
        assert crawl.watch.time >= 1_800_000_000 + 30


async def test_a_long_wait_ends_the_run_and_it_goes_on_later() -> None:
    pages = {"/": html("Start", "/a", "/b"), "/a": html("A"), "/b": html("B")}
    pages["/a"].failures = [(503, {"Retry-After": "3600"})]
    async with reading(pages) as crawl:
        with pytest.raises(SourceDown, match="3600") as caught:
            await crawl.all()
        assert caught.value.retry_s == 3_600
        assert crawl.watch.slept == []
        assert not crawl.frontier["finished"]
        assert await crawl.paths() == ["/b", "/a"]


async def test_one_failing_page_fails_alone_and_stays_known() -> None:
    pages = {"/": html("Start", "/a", "/b"), "/a": html("A"), "/b": html("B")}
    async with reading(pages) as crawl:
        await crawl.all()
        pages["/a"].failures = [(500, {})] * 3
        kinds = {item.uri[-1]: type(item) for item in await crawl.all()}
        assert kinds == {"/": Unchanged, "b": Unchanged, "a": Failed}
        assert len(crawl.known) == 3


async def test_a_site_that_stops_answering_ends_the_run_and_loses_nothing() -> None:
    pages = {"/": html("Start", *[f"/{n}" for n in range(10)]), **{f"/{n}": html(f"P{n}") for n in range(10)}}
    async with reading(pages) as crawl:
        await crawl.all()
        for n in range(10):
            pages[f"/{n}"].failures = [(502, {})]
        for _ in range(2):
            with pytest.raises(SourceDown, match="5 requests in a row"):
                await crawl.all()
        assert len(crawl.known) == 11
        again = [item async for item in crawl.items()]
        assert not any(isinstance(item, Gone | Fetched) for item in again)
        assert crawl.frontier["finished"]


@pytest.mark.parametrize("status", [401, 404, 500, 503])
async def test_a_start_that_errs_removes_nothing(status: int) -> None:
    async with reading({"/": html("Start")}) as crawl:
        await crawl.all()
        crawl.site.pages["/"] = Page(status=status)
        with pytest.raises(SourceDown, match=str(status)):
            await crawl.all()


async def test_a_start_that_nobody_may_read_is_refused() -> None:
    async with reading({}) as crawl:
        for url in ("http://127.0.0.1:1/", "http://169.254.169.254/", "http://localhost/"):
            crawl.config["url"] = url
            with pytest.raises(SourceRefused, match="cannot be read"):
                await crawl.all()


async def test_the_start_may_lead_to_another_host_and_only_the_start() -> None:
    async with SiteDouble({"/": html("Home", "/a"), "/a": html("A")}).running() as other:
        pages = {"/": Page(status=301, headers={"Location": other.base + "/"})}
        async with reading(
            pages,
        ) as crawl:
            egress = Egress([crawl.site.host, other.host])
            async with egress.running():
                crawl.reader = SiteReader(egress, Crawl(delay_s=0), sleep=crawl.watch.sleep)
                items = await crawl.all()
                assert [item.uri for item in items] == [other.base + "/", other.base + "/a"]
                other.pages["/a"] = Page(status=302, headers={"Location": crawl.site.base + "/secret"})
                items = await crawl.all()
                assert [type(item) for item in items] == [Unchanged, Gone]
                assert crawl.site.hits["/secret"] == 0


async def test_redirects_within_the_site_are_followed_once() -> None:
    pages = {
        "/": html("Start", "/old", "/loop"),
        "/old": Page(status=302, headers={"Location": "/new?utm_source=x"}),
        "/new": html("New"),
        "/loop": Page(status=302, headers={"Location": "/pool"}),
        "/pool": Page(status=302, headers={"Location": "/loop"}),
        "/self": Page(status=302, headers={"Location": "/self"}),
    }
    async with reading(pages) as crawl:
        assert await crawl.paths() == ["/", "/new"]


async def test_a_prefix_bounds_the_crawl() -> None:
    pages = {"/help/": html("Help", "/help/a", "/shop"), "/help/a": html("A", "/helpless"), "/shop": html("Shop")}
    async with reading(pages) as crawl:
        crawl.config |= {"url": crawl.site.base + "/help/", "prefix": "/help/"}
        assert await crawl.paths() == ["/help/", "/help/a"]


async def test_a_calendar_without_end_is_bounded() -> None:
    async with reading({"/": html("Start", "/calendar/2026/1", "/shop")}, max_depth=50) as crawl:

        def made(path: str) -> Page | None:
            if path.startswith("/calendar/"):
                year, month = (int(part) for part in path.split("/")[2:])
                following = f"/calendar/{year + month // 12}/{month % 12 + 1}"
                return html(path, following, f"/calendar/{year + 1}/{month}")
            if path.startswith("/shop"):
                return html(path, *[f"{path}{'&' if '?' in path else '?'}f{n}={len(path)}" for n in range(10)])
            return None

        crawl.site.made = made
        items = await crawl.all()
        assert 150 < len(items) < 210
        assert crawl.counts["endless"] > 0
        assert crawl.frontier["notes"]


async def test_paths_that_repeat_themselves_and_sessions_are_bounded() -> None:
    async with reading({"/": html("Start", "a/b/")}) as crawl:
        crawl.site.made = lambda path: html(path, "a/b/", f"/s?PHPSESSID={len(path)}", text=path)
        items = await crawl.all()
        assert len(items) < 12


async def test_the_sitemap_names_pages_that_nothing_links() -> None:
    listed = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{}</urlset>"
    async with reading({"/": html("Start")}) as crawl:
        site = crawl.site
        days = [f"{site.base}/day/2026/{n}" for n in range(150)]
        locs = "".join(f"<url><loc>{day}</loc></url>" for day in [*days, "https://elsewhere.example/x"])
        site.pages["/robots.txt"] = robots(f"Sitemap: {site.base}/index.xml")
        site.pages["/index.xml"] = Page(
            f"<sitemapindex><sitemap><loc>{site.base}/one.xml</loc></sitemap></sitemapindex>".encode(), "text/xml"
        )
        site.pages["/one.xml"] = Page(listed.format(locs).encode(), "text/xml")
        site.made = lambda path: html(path) if path.startswith("/day/") else None
        assert len(await crawl.all()) == 151
        crawl.frontier, crawl.known = {}, {}
        crawl.config["sitemap"] = False
        assert await crawl.paths() == ["/"]


async def test_another_configuration_starts_anew() -> None:
    async with reading({"/": html("Start", "/a"), "/a": html("A")}) as crawl:
        async for _ in crawl.items():
            break
        crawl.config["prefix"] = "/a"
        assert await crawl.paths() == ["/", "/a"]


async def test_slow_pages_fail_after_their_tries() -> None:
    pages = {"/": html("Start", "/slow"), "/slow": Page(b"x", delay_s=30)}
    async with reading(pages) as crawl:
        egress = Egress([crawl.site.host], timeout_s=0.1)
        async with egress.running():
            crawl.reader = SiteReader(egress, Crawl(delay_s=0), now=crawl.watch.now, sleep=crawl.watch.sleep)
            items = await crawl.all()
        assert [type(item) for item in items] == [Fetched, Failed]
        assert crawl.site.hits["/slow"] == 3


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "needs its address"),
        ({"url": "file:///etc/passwd"}, "needs its address"),
        ({"url": "https://shop.example", "origin": "shop"}, "origin"),
        ({"url": "https://shop.example", "prefix": "help"}, "slash"),
        ({"url": "https://shop.example", "max_pages": "many"}, "whole numbers"),
        ({"url": "https://shop.example", "speed": 9}, "no setting speed"),
    ],
)
def test_a_wrong_configuration_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(SourceRefused, match=reason):
        SiteConfig.of(config, Crawl())


def test_a_site_stays_within_the_installers_limits() -> None:
    site = SiteConfig.of({"url": "https://Shop.example", "max_pages": 10**9, "max_depth": 0}, Crawl(max_pages=50))
    assert (site.url, site.max_pages, site.max_depth) == ("https://shop.example/", 50, 0)


async def test_odd_answers_make_no_page_leave() -> None:
    pages = {"/": html("Start", "/a", "/b", "/loop", "/shut"), "/a": html("A"), "/b": Page(status=304)}
    pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    pages["/shut"] = Page(status=403)
    async with reading(pages) as crawl:
        items = {item.uri.removeprefix(crawl.site.base): item for item in await crawl.all()}
        assert {path for path, item in items.items() if isinstance(item, Failed)} == {"/b", "/loop"}
        assert "/shut" not in items
        pages["/a"] = Page(status=403)
        assert [type(item) for item in await crawl.all() if item.uri.endswith("/a")] == [Failed]


async def test_a_start_that_is_silent_or_vast_is_down() -> None:
    async with reading({"/": Page(b"x", delay_s=30)}) as crawl:
        egress = Egress([crawl.site.host], timeout_s=0.1, max_bytes=1_000)
        async with egress.running():
            crawl.reader = SiteReader(egress, Crawl(delay_s=0), now=crawl.watch.now, sleep=crawl.watch.sleep)
            with pytest.raises(SourceDown, match="does not answer"):
                await crawl.all()
            crawl.site.pages["/"] = Page(bytes(2_000), status=500)
            with pytest.raises(SourceDown, match="absurd size"):
                await crawl.all()


async def test_a_start_that_leads_on_for_ever_is_refused() -> None:
    async with SiteDouble().running() as one, SiteDouble().running() as two:
        one.pages["/"] = Page(status=302, headers={"Location": two.base + "/"})
        two.pages["/"] = Page(status=302, headers={"Location": one.base + "/"})
        egress = Egress([one.host, two.host])
        async with egress.running():
            reader = SiteReader(egress, Crawl(delay_s=0))
            with pytest.raises(SourceRefused, match="leads on"):
                [item async for item in reader.read({"url": one.base}, {}, {})]


async def test_a_start_that_leads_inside_is_refused() -> None:
    async with reading({"/": Page(status=302, headers={"Location": "http://127.0.0.1:1/"})}) as crawl:
        with pytest.raises(SourceRefused, match="cannot be read"):
            await crawl.all()
