"""One try: what each failure says about the effect, and where credentials go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError, ClientResponse, ClientSession, web

from channels.base import Refused, SendError, Unavailable, Unknown
from channels.whatsapp.calls import basic, download, one_try, open_session, origin
from tests.channels.whatsapp_kit import whole


@pytest.mark.parametrize("effect", [True, False])
@pytest.mark.parametrize("error", [ClientError(), ConnectionResetError(), ValueError(), KeyError("x"), TypeError()])
async def test_a_failure_after_the_request_left(error: Exception, effect: bool) -> None:
    with pytest.raises(SendError) as caught:
        async with one_try(1.0, effect=effect):
            raise error
    assert type(caught.value) is (Unknown if effect else Unavailable)


async def test_no_answer_in_time() -> None:
    with pytest.raises(Unknown) as caught:
        async with one_try(0.01, effect=True):
            await asyncio.sleep(5)
    assert caught.value.code == "timeout"


async def test_no_connection_is_nothing_sent() -> None:
    async with open_session(0.5) as session:
        with pytest.raises(Unavailable):
            async with one_try(1.0, effect=True), session.get("http://127.0.0.1:9"):
                pass


async def test_what_is_already_known_passes() -> None:
    with pytest.raises(Refused):
        async with one_try(1.0, effect=True):
            raise Refused("code")


def test_small_helpers() -> None:
    assert basic("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert origin("HTTPS://API.twilio.com/x?y") == "https://api.twilio.com"
    assert origin("") == "://"


class Host:
    """A file host on loopback that remembers who came with credentials."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.base = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.path, request.headers.get("Authorization", "")))
        match request.path:
            case "/away":
                raise web.HTTPFound("https://evil.example.com/x")
            case "/once":
                raise web.HTTPTemporaryRedirect("/file")
            case "/circle":
                raise web.HTTPFound("/circle")
            case "/nowhere":
                return web.Response(status=302)
            case "/gone":
                raise web.HTTPNotFound
            case "/torn":
                response = web.StreamResponse(headers={"Content-Length": "10"})
                await response.prepare(request)
                await response.write(b"123")
                assert request.transport is not None
                request.transport.abort()
                return response
        return web.Response(body=b"file")


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host()
    app = web.Application()
    app.router.add_get("/{tail:.*}", host.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield host
    await runner.cleanup()


async def read(host: Host, path: str, *, trusted: bool = True) -> bytes:
    def failure(response: ClientResponse) -> SendError:
        return Refused(str(response.status))

    async with ClientSession() as session:
        return await whole(
            download(
                session,
                host.base + path,
                headers={"Authorization": "secret"},
                trusted=lambda _: trusted,
                followed=lambda url: origin(url) == host.base,
                failure=failure,
            )
        )


async def test_a_redirect_is_followed_without_credentials(host: Host) -> None:
    assert await read(host, "/once") == b"file"
    assert host.seen == [("/once", "secret"), ("/file", "")]


@pytest.mark.parametrize(
    ("path", "code"), [("/away", "host"), ("/circle", "redirects"), ("/gone", "404"), ("/nowhere", "redirects")]
)
async def test_addresses_that_lead_nowhere(host: Host, path: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        await read(host, path)
    assert caught.value.code == code


async def test_a_torn_file_can_be_read_later(host: Host) -> None:
    with pytest.raises(Unavailable):
        await read(host, "/torn")


async def test_another_host_is_never_asked(host: Host) -> None:
    with pytest.raises(Refused) as caught:
        await read(host, "/file", trusted=False)
    assert caught.value.code == "host"
    assert host.seen == []
