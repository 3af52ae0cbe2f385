from __future__ import annotations

import asyncio
import gzip
import socket
from ipaddress import ip_address

import pytest

from server.egress import Egress, EgressFailed, EgressRefused, TooLarge
from server.egress.client import system_resolve
from tests.doubles.names import PUBLIC, Names
from tests.doubles.site import Page, SiteDouble


async def test_the_connection_goes_to_exactly_what_was_judged() -> None:
    async with SiteDouble({"/": Page(b"hello")}).running() as site:
        port = site.base.rpartition(":")[2]
        service = Names({"pinned.example": [["127.0.0.1"], ["169.254.169.254"]]})
        egress = Egress([f"pinned.example:{port}"], resolve=service)
        async with egress.running():
            answer = await egress.get(f"http://pinned.example:{port}/")
        assert answer.body == b"hello"
        assert service.asked == ["pinned.example"]
        assert site.headers["/"]["Host"] == f"pinned.example:{port}"


async def test_the_socket_itself_refuses_what_nobody_judged() -> None:
    egress = Egress(["127.0.0.1:8081"], resolve=Names())
    make = egress._guard.socket
    stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    make((*stream, ("127.0.0.1", 8081))).close()
    make((*stream, (PUBLIC, 80))).close()
    for place in (("127.0.0.1", 8082), ("10.0.0.1", 80), ("localhost", 80), ("169.254.169.254", 80)):
        with pytest.raises(EgressRefused):
            make((*stream, place))


async def test_an_allowed_name_makes_its_addresses_reachable_on_its_port_only() -> None:
    egress = Egress(["crm.example:8081"], resolve=Names({"crm.example": [["10.0.0.7", PUBLIC]]}))
    assert await egress.addresses("http://crm.example:8081/") == ["10.0.0.7", PUBLIC]
    egress._guard.socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 8081))).close()
    with pytest.raises(EgressRefused):
        egress._guard.socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 80)))
    with pytest.raises(EgressRefused):
        await egress.addresses("http://crm.example/")


async def test_answers_come_with_their_status_headers_and_address() -> None:
    pages = {
        "/a": Page(status=301, headers={"Location": "b?c=1"}),
        "/b?c=1": Page(b"there", "Text/Plain; charset=utf-8"),
        "/none": Page(b"sorry", status=404),
    }
    async with SiteDouble(pages).running() as site:
        egress = Egress([site.host], user_agent="desk/1")
        async with egress.running():
            answer = await egress.get(site.base + "/a")
            assert (answer.status, answer.url, answer.mime, answer.body) == (
                200,
                site.base + "/b?c=1",
                "text/plain",
                b"there",
            )
            assert site.headers["/a"]["User-Agent"] == "desk/1"
            missing = await egress.get(site.base + "/none")
            assert (missing.status, missing.body) == (404, b"sorry")
            assert egress.check(site.base + "/a") == site.base + "/a"
            assert await egress.addresses(site.base) == ["127.0.0.1"]


async def test_redirects_end() -> None:
    async with SiteDouble({"/": Page(status=302, headers={"Location": "/"})}).running() as site:
        egress = Egress([site.host])
        async with egress.running():
            with pytest.raises(EgressFailed, match="more than 5 times"):
                await egress.get(site.base + "/")
            assert site.hits["/"] == 6
            assert (await egress.get(site.base + "/", redirects=0)).status == 302


async def test_a_post_is_sent_once_and_never_follows() -> None:
    pages = {"/": Page(status=307, headers={"Location": "/b"}), "/b": Page(b"no")}
    async with SiteDouble(pages).running() as site:
        egress = Egress([site.host])
        async with egress.running():
            answer = await egress.post(site.base + "/", b"{}", {"Content-Type": "application/json"})
        assert (answer.status, answer.headers["location"]) == (307, "/b")
        assert site.hits == {"/": 1}


async def test_headers_with_secrets_stay_with_their_origin() -> None:
    async with SiteDouble({"/": Page(b"x")}).running() as other, SiteDouble().running() as site:
        site.pages["/here"] = Page(status=302, headers={"Location": "/there"})
        site.pages["/there"] = Page(status=302, headers={"Location": other.base + "/", "Set-Cookie": "a=b"})
        egress = Egress([site.host, other.host])
        async with egress.running():
            await egress.get(site.base + "/here", {"Authorization": "Bearer canary", "Accept": "text/html"})
        assert site.headers["/there"]["Authorization"] == "Bearer canary"
        assert "Authorization" not in other.headers["/"]
        assert other.headers["/"]["Accept"] == "text/html"
        assert "Cookie" not in other.headers["/"]


async def test_cookies_are_not_kept() -> None:
    async with SiteDouble({"/": Page(b"x", headers={"Set-Cookie": "a=b"}, etag=False)}).running() as site:
        egress = Egress([site.host])
        async with egress.running():
            await egress.get(site.base + "/")
            await egress.get(site.base + "/")
        assert "Cookie" not in site.headers["/"]


async def test_the_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with SiteDouble({"/": Page(b"x")}).running() as site:
        egress = Egress([site.host])
        async with egress.running():
            assert (await egress.get(site.base + "/")).body == b"x"


async def test_size_and_packing_are_limited() -> None:
    bomb = gzip.compress(bytes(30_000_000))
    pages = {
        "/large": Page(bytes(2_000)),
        "/bomb": Page(bomb, headers={"Content-Encoding": "gzip"}),
        "/packed": Page(gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"}),
    }
    async with SiteDouble(pages).running() as site:
        egress = Egress([site.host], max_bytes=40_000_000)
        async with egress.running():
            with pytest.raises(TooLarge):
                await egress.get(site.base + "/large", max_bytes=1_999)
            with pytest.raises(TooLarge, match="200 times"):
                await egress.get(site.base + "/bomb")
            assert (await egress.get(site.base + "/packed")).body == b"hello"


async def test_an_unwanted_type_is_not_read() -> None:
    async with SiteDouble({"/": Page(bytes(5_000_000), "video/mp4")}).running() as site:
        egress = Egress([site.host], max_bytes=1_000)
        async with egress.running():
            answer = await egress.get(site.base + "/", accept=lambda mime: mime == "text/html")
        assert (answer.status, answer.skipped, answer.body, answer.mime) == (200, True, b"", "video/mp4")


async def test_time_is_limited_as_a_whole() -> None:
    async with SiteDouble({"/": Page(b"x", delay_s=30)}).running() as site:
        egress = Egress([site.host], timeout_s=0.2)
        async with egress.running():
            with pytest.raises(EgressFailed, match=r"within 0\.2 s"):
                await egress.get(site.base + "/")


async def test_a_body_that_drips_is_cut_off() -> None:
    left = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            left.set()
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    egress = Egress([host], timeout_s=0.4)
    async with server, egress.running():
        with pytest.raises(EgressFailed, match=r"within 0\.4 s"):
            await egress.get(f"http://{host}/")
        await asyncio.wait_for(left.wait(), 5)


async def test_who_is_not_there_has_failed_not_been_refused() -> None:
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        port = spare.getsockname()[1]
    egress = Egress([f"127.0.0.1:{port}"], resolve=Names({"empty.example": [[]]}))
    async with egress.running():
        for url, reason in (
            (f"http://127.0.0.1:{port}/secret-path", "cannot be reached"),
            ("http://unknown.example/", "cannot be resolved"),
            ("http://empty.example/", "no address"),
        ):
            with pytest.raises(EgressFailed, match=reason) as caught:
                await egress.get(url)
            assert not caught.value.sent
            assert "secret-path" not in caught.value.reason


async def test_who_breaks_off_may_have_acted() -> None:
    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    egress = Egress([host])
    async with server, egress.running():
        with pytest.raises(EgressFailed, match="broke off") as caught:
            await egress.post(f"http://{host}/", b"x")
    assert caught.value.sent


async def test_headers_cannot_be_split() -> None:
    async with SiteDouble({"/": Page(b"x")}).running() as site:
        egress = Egress([site.host])
        async with egress.running():
            with pytest.raises(EgressRefused, match="header"):
                await egress.get(site.base + "/", {"X-Name": "a\r\nX-Other: b"})
        assert site.hits["/"] == 0


async def test_it_works_only_while_it_runs() -> None:
    with pytest.raises(RuntimeError, match="outside"):
        await Egress().get("http://93.184.216.34/")


async def test_the_system_knows_numbers() -> None:
    assert [ip_address(text) for text in await system_resolve("127.0.0.1", 80)] == [ip_address("127.0.0.1")]
