"""The browser and the desk it talks to.

`BROWSER_TEST_URL` points the tests at a running server instead of the double; tests that need the controls of
the double are skipped then. That server must allow the shop's origin, whose port `BROWSER_TEST_SHOP_PORT` fixes.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from server.store.statements import load, parse
from tests.browser.visitor import Desk, Shop, Visit
from tests.web_double import WebDouble

JOURNEY = """
-- name: conversations
-- Every conversation.
select id from conversation;
-- name: feedback
-- Every rating.
select value, reason from feedback;
"""
load("sqlite").update(parse("journey", JOURNEY, "sqlite"))
expect.set_options(timeout=20_000)  # beside another worker's tests a page may stand still for seconds

CHROMIUM = os.environ.get("BROWSER_TEST_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"No Chromium at {CHROMIUM}: install it or set BROWSER_TEST_CHROMIUM")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    shop = Shop()
    await shop.start(int(os.environ.get("BROWSER_TEST_SHOP_PORT", "0")))
    outside = os.environ.get("BROWSER_TEST_URL", "").rstrip("/")
    control = None if outside else WebDouble(shop.origin)
    if control:
        await control.start()
    shop.desk = control.base_url if control else outside
    yield Desk(shop.desk, shop, control)
    if control:
        await control.stop()
    await shop.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def control(desk: Desk) -> WebDouble:
    if desk.control is None:
        pytest.skip("Needs the double's controls")
    return desk.control


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, desk: Desk) -> AsyncIterator[Visit]:
    context = await browser.new_context(
        viewport={"width": 1100, "height": 820}, locale="en-GB", reduced_motion="reduce"
    )
    yield Visit(context, desk)
    await context.close()
