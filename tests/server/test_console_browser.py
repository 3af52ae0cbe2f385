"""The console in a real browser: from the setup link to the bot switch, under the real policy, by keyboard too."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from server.routes import Role, Route
from tests.server.desk import CLI, PASSWORD, Desk, open_desk

playwright_api = pytest.importorskip("playwright.async_api")

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]


async def ready(_request: web.Request) -> web.Response:
    return web.json_response({"ready": True})


@pytest.fixture
async def ready_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk that says it is ready."""
    route = Route("GET", "/readyz", ready, Role.PUBLIC, "Ready")
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}", extra=[route]) as desk:
        yield desk


async def test_from_the_setup_link_to_the_switch(ready_desk: Desk):
    base = str(ready_desk.server.make_url("/")).rstrip("/")
    token = (await ready_desk.links.setup(CLI)).url.partition("#")[2]
    troubles: list[str] = []
    async with playwright_api.async_playwright() as tools:
        browser = await tools.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 320, "height": 640})
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        await page.goto(f"{base}/console/setup#{token}")
        await page.wait_for_selector("form:not([hidden])")
        assert token not in page.url
        for text in ("Ana <img src=x onerror=alert(1)>", "ana@example.com", PASSWORD):  # the focus is where it belongs
            await page.keyboard.type(text)
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{base}/console/")
        await page.wait_for_selector("#people li")
        assert await page.inner_text("#who-name") == "Ana <img src=x onerror=alert(1)>"
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        assert await page.evaluate("document.cookie") == ""
        assert await page.inner_text("#switch-title") == "The bot is on"
        await page.focus("#switch-button")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".switch.off")
        assert ready_desk.switch.silent("web", "default")
        await page.reload()  # unchanged files come as 304 and must keep their policy
        await page.wait_for_selector(".switch.off")
        await page.fill("#invite [name=email]", "ben@example.com")
        await page.press("#invite [name=email]", "Enter")
        await page.wait_for_selector("#people-note code")
        assert "/console/setup#" in await page.inner_text("#people-note code")
        await page.click("#sign-out")
        await page.wait_for_url(f"{base}/console/login")
        await browser.close()
    assert troubles == []
