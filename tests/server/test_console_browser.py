"""The console in a real browser: from the setup link to the bot switch, under the real policy, by keyboard too."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from config.settings import Access
from server.auth.totp import STEP_S, code_at
from server.routes import Role, Route
from tests.server.desk import CLI, PASSWORD, Desk, open_desk

playwright_api = pytest.importorskip("playwright.async_api")

CHROMIUM = shutil.which("chromium")
SHOTS = os.environ.get("BROWSER_TEST_SHOTS", "")  # a folder that gets pictures of the pages at the door
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
        await page.wait_for_url(f"{base}/console/inbox")
        await page.goto(f"{base}/console/settings")
        await page.wait_for_selector(".brake")
        troubles.clear()  # this desk has no inbox behind its console
        assert await page.text_content("#who-name") == "Ana <img src=x onerror=alert(1)>"
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        assert await page.evaluate("document.cookie") == ""
        assert await page.inner_text("#switch-title") == "The bot is on"
        await page.focus(".brake button")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".banner")
        assert ready_desk.switch.silent("web", "default")
        await page.reload()  # unchanged files come as 304 and must keep their policy
        await page.wait_for_selector(".switch.off")
        await page.goto(f"{base}/console/people")
        await page.wait_for_selector("#people li")
        await page.fill("[name=email]", "ben@example.com")
        await page.press("[name=email]", "Enter")
        await page.wait_for_selector("#people-note code")
        assert "/console/setup#" in await page.inner_text("#people-note code")
        await page.click(".me")
        await page.get_by_role("menuitem", name="Sign out").click()
        await page.wait_for_url(f"{base}/console/login")
        await browser.close()
    assert [line for line in troubles if "404" not in line] == []


async def test_the_first_admin_sets_an_app_up_where_the_role_needs_one(tmp_path: Path):
    route = Route("GET", "/readyz", ready, Role.PUBLIC, "Ready")
    access = Access(argon2_memory_kib=8_192, second_factor_roles=("admin",))
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}", access=access, extra=[route]) as desk:
        base = str(desk.server.make_url("/")).rstrip("/")
        token = (await desk.links.setup(CLI)).url.partition("#")[2]
        async with playwright_api.async_playwright() as tools:
            browser = await tools.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await browser.new_page(viewport={"width": 320, "height": 800})
            await page.goto(f"{base}/console/setup#{token}")
            await page.wait_for_selector("form:not([hidden])")
            for text in ("Ana", "ana@example.com", PASSWORD):
                await page.keyboard.type(text)
                await page.keyboard.press("Tab")
            await page.keyboard.press("Enter")
            await page.wait_for_url(f"{base}/console/login")
            await page.wait_for_selector("#qr path", state="attached")
            secret = await page.inner_text("#secret")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320
            assert await page.evaluate("sessionStorage.length") == 0
            if SHOTS:
                await page.screenshot(path=f"{SHOTS}/login-enrol.png", full_page=True)
            await page.keyboard.type(code_at(secret, int(desk.clock() // STEP_S)))
            await page.keyboard.press("Enter")
            await page.wait_for_selector("#codes code")
            assert await page.locator("#codes code").count() == 10
            if SHOTS:
                await page.screenshot(path=f"{SHOTS}/login-codes.png", full_page=True)
            await page.keyboard.press("Enter")  # the focus is on the way on
            await page.wait_for_url(f"{base}/console/inbox")
            await browser.close()
