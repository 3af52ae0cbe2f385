"""The whole guard against strangers' addresses, seen from outside: what is refused, and that nothing connects."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.egress import Egress, EgressRefused
from tests.doubles.names import PUBLIC, Names
from tests.doubles.site import Page, SiteDouble


class Listener:
    """Counts connections to a loopback port that nobody may reach."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Listener]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _take(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()


class Connects:
    """Every connect of this process while it is watched, whoever makes it."""

    watched: list[Any] | None = None

    @classmethod
    def hook(cls, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and cls.watched is not None:
            cls.watched.append(arguments[1])


sys.addaudithook(Connects.hook)


@pytest.fixture
def connects() -> Iterator[list[Any]]:
    Connects.watched = []
    yield Connects.watched
    Connects.watched = None


REFUSED = [
    # this machine and this network, in every spelling
    "http://127.0.0.1/",
    "http://127.0.0.1:{port}/",
    "http://127.255.255.254/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://0X7F.0.0.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://2130706433/",
    "http://2130706433:{port}/",
    "http://127.0.0.1./",
    "http://0.0.0.0/",
    "http://0/",
    "http://[::]/",
    "http://[::]:{port}/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://192.0.0.8/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    # transition mechanisms
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    # clouds
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://metadata/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://instance-data.ec2.internal/",
    # names of this machine and this network
    "http://localhost/",
    "http://localhost.:{port}/",
    "http://LOCALHOST/",
    "http://shop.localhost/",
    "http://printer.local/",
    "http://router.home.arpa/",
    "http://intranet/",
    # letters that become others
    "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
    "http://127。0。0。1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.example/",
    # one address for the reader, another one for the machine
    "http://shop.example@127.0.0.1/",
    "http://127.0.0.1:80@shop.example/",
    "http://user:password@shop.example/",
    "http://@127.0.0.1/",
    "http://shop.example\\@127.0.0.1/",
    "http://127.0.0.1\\.shop.example/",
    "http:\\\\127.0.0.1/",
    "http://127.0.0.1\t/",
    "http://127.0.\n0.1/",
    "\r\nhttp://127.0.0.1/",
    " http://127.0.0.1/",
    "http://127.0.0.1 /",
    "http://shop.example\u00a0/",
    # other schemes and ports
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "ftp://shop.example/",
    "dict://127.0.0.1:{port}/",
    "javascript:alert(1)",
    "data:text/html,hello",
    "//127.0.0.1/",
    "http://shop.example:22/",
    "http://shop.example:6379/",
    "http://shop.example:0/",
    "http://shop.example:65536/",
    "http://[::1/",
    "http:///etc/passwd",
    "",
    # proper names with improper answers
    "http://inner.example/",
    "http://mixed.example/",
    "http://mixed-six.example/",
    "http://mapped.example/",
    "http://carrier.example/",
    "http://scoped.example/",
    "http://nonsense.example/",
]


def names() -> Names:
    given = {
        "inner.example": ["127.0.0.1"],
        "mixed.example": [PUBLIC, "10.0.0.1"],
        "mixed-six.example": ["2606:4700::1111", "::1"],
        "mapped.example": ["::ffff:127.0.0.1"],
        "carrier.example": ["100.64.1.1"],
        "scoped.example": ["fe80::1%lo"],
        "nonsense.example": ["localhost"],
        "shop.example": ["127.0.0.1"],
    }
    return Names({name: [answer] for name, answer in given.items()})


def test_the_table_is_long_enough() -> None:
    assert len(set(REFUSED)) == len(REFUSED) >= 40


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_address_of_the_table_is_refused_and_nothing_connects(method: str, connects: list[Any]) -> None:
    async with Listener().running() as listener:
        egress = Egress(resolve=names(), timeout_s=5)
        accepted = []
        async with egress.running():
            for text in REFUSED:
                try:
                    await egress.request(method, text.replace("{port}", str(listener.port)), body=b"x")
                except EgressRefused:
                    continue
                accepted.append(text)
        assert accepted == []
        assert listener.connections == 0
        assert connects == []


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "//127.0.0.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://inner.example/",
        "http://169.254.169.254/latest/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_",
        "http://user@shop.example/",
        "http:\\\\127.0.0.1:{port}/",
    ],
)
async def test_redirects_are_new_addresses(place: str) -> None:
    async with Listener().running() as listener, SiteDouble().running() as site:
        site.pages["/"] = Page(status=302, headers={"Location": place.replace("{port}", str(listener.port))})
        egress = Egress([site.host], resolve=names())
        async with egress.running():
            with pytest.raises(EgressRefused):
                await egress.get(site.base + "/")
        assert listener.connections == 0
        assert site.hits == {"/": 1}


async def test_a_name_that_changes_its_answer_is_judged_when_it_connects(connects: list[Any]) -> None:
    service = Names({"rebind.example": [[PUBLIC], ["127.0.0.1"]]})
    egress = Egress(resolve=service)
    async with egress.running():
        assert await egress.addresses("http://rebind.example/") == [PUBLIC]
        with pytest.raises(EgressRefused, match="loopback"):
            await egress.get("http://rebind.example/")
    assert connects == []
