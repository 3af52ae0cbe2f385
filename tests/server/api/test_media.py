"""Customers' files over HTTP: who gets them, how a browser must treat them, and addresses that end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.message import Attachment
from server.api.media import POLICY, MediaApi
from server.routes import Role
from tests.places import Place
from tests.server.desk import Desk, open_desk
from tests.server.media.bench import PNG, Bench, bench

NAME = 'bill "5"/é\n.pdf'


@asynccontextmanager
async def both(url: str, folder: Path) -> AsyncIterator[tuple[Bench, Desk]]:
    async with bench(Place(url.partition(":")[0], url), folder) as files:
        routes = MediaApi(files.media, files.addresses).routes()
        async with open_desk(url, extra=routes) as desk:
            files.serve(PNG, b"%PDF-1.7", b"<svg>")
            message_id = await files.say(
                Attachment("image", "u", "p.png", "image/png"),
                Attachment("file", "u", NAME, "application/pdf"),
                Attachment("image", "u", "x.svg", "image/png"),
            )
            await files.media.read("c1", [message_id])
            yield files, desk


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[Bench, Desk]]:
    async with both(f"sqlite:///{tmp_path / 'desk.db'}", tmp_path) as pair:
        yield pair


async def test_staff_see_images_and_download_the_rest(running: tuple[Bench, Desk]):
    _, desk = running
    viewer = await desk.signed_in(Role.VIEWER)
    image = await viewer.call("GET", "/api/media/m1-file-0000")
    assert (image.status, image.content_type, await image.read()) == (200, "image/png", PNG)
    assert image.headers["Content-Disposition"] == "inline; filename*=UTF-8''p.png"
    bill = await viewer.call("GET", "/api/media/m1-file-0001")
    assert bill.content_type == "application/pdf"
    assert bill.headers["Content-Disposition"] == "attachment; filename*=UTF-8''bill%20_5_%C3%A9_.pdf"
    for answer in (image, bill):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    for unknown in ("m1-file-0002", "m1-file-0009", "..%2f..%2fdesk.db", "%00"):
        assert (await viewer.call("GET", f"/api/media/{unknown}")).status == 404
    assert (await desk.browser().call("GET", "/api/media/m1-file-0000")).status == 401


async def test_a_signed_address_works_without_sign_in_until_it_ends(running: tuple[Bench, Desk]):
    files, desk = running
    stranger = desk.browser()
    url = files.media.file_url("m1-file-0001")
    path = url.removeprefix("https://desk.example")
    answer = await stranger.call("GET", path)
    assert (answer.status, answer.content_type, await answer.read()) == (200, "application/pdf", b"%PDF-1.7")
    assert (await stranger.call("HEAD", path)).status == 200
    assert (await stranger.call("GET", f"{path}x")).status == 404
    assert (await stranger.call("GET", "/media/m1-file-0001")).status == 404
    refused = files.addresses.token("m1-file-0002")
    assert (await stranger.call("GET", f"/media/{refused}")).status == 404
    files.clock.pass_s(901)
    assert (await stranger.call("GET", path)).status == 404


async def test_a_file_that_is_gone_from_the_disk_is_not_found(running: tuple[Bench, Desk]):
    files, desk = running
    for path in files.kept():
        path.unlink()
    viewer = await desk.signed_in(Role.VIEWER)
    assert (await viewer.call("GET", "/api/media/m1-file-0000")).status == 404
