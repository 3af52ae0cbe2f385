"""What the browser tests are made of: the stranger's site, the desk, and one visitor's browser profile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from playwright.async_api import BrowserContext, FrameLocator, Page, Route, expect

from tests.web_double import WebDouble

SHOP_POLICY = "default-src 'none'; script-src {desk}; style-src 'self'; frame-src {desk}; img-src 'self'"
PATIENCE_MS = 20_000
Loaded = Literal["load", "domcontentloaded"]
OUTBOX = """() => new Promise((done) => {
  indexedDB.open('frontdesk').onsuccess = ({ target: { result: database } }) => {
    const count = database.transaction('outbox').objectStore('outbox').count();
    count.onsuccess = () => { database.close(); done(count.result); };
  };
})"""
# The launcher lives in a closed shadow root, which a test cannot look into either; only this page's is opened.
OPEN_SHADOWS = """{ const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) { return attach.call(this, { ...options, mode: 'open' }); }; }"""


class Shop:
    """A stranger's site on another origin: no inline code or style allowed, and a style sheet of bad manners."""

    def __init__(self) -> None:
        self.origin = ""
        self.desk = ""
        self.attributes = 'data-account="default"'
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listens on loopback; set `desk` before the first page is asked for."""
        app = web.Application()
        app.add_routes([web.get("/host.css", self._style), web.get("/{page:.*}", self._page)])
        self._runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Closes the port."""
        if self._runner:
            await self._runner.cleanup()

    async def _style(self, _request: web.Request) -> web.Response:
        rude = "div { display: none; opacity: .1 !important } button, iframe { all: unset !important; width: 3px }"
        return web.Response(text=f"body {{ margin: 0; font: 16px sans-serif }} {rude}", content_type="text/css")

    async def _page(self, _request: web.Request) -> web.Response:
        script = f'<script async src="{self.desk}/widget.js" {self.attributes}></script>'
        text = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A shop</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="stylesheet" href="/host.css">{script}</head>'
            '<body><main><h1 id="headline">A shop</h1><a href="#headline">A link</a></main></body></html>'
        )
        policy = SHOP_POLICY.format(desk=self.desk)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})


@dataclass
class Desk:
    """Where the desk is, the site that embeds it, and the double's controls (None against a real server)."""

    base_url: str
    shop: Shop
    control: WebDouble | None


@dataclass
class Visit:
    """One browser profile of one visitor, with everything it asked for and complained about."""

    context: BrowserContext
    desk: Desk
    urls: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def page(self, url: str = "", *, peek: bool = True, loaded: Loaded = "load") -> Page:
        """A new tab, on the shop unless told otherwise; it has come as far as ``loaded`` says."""
        page = await self.context.new_page()
        if peek:
            await page.add_init_script(OPEN_SHADOWS)
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(url or self.desk.shop.origin, wait_until=loaded)
        return page

    async def alone(self) -> Page:
        """A tab that shows the chat frame by itself, ready to write."""
        page = await self.page(f"{self.desk.base_url}/web/frame?account=default#locale=en")
        await page.locator("#app[data-connection=online]").wait_for()
        return page

    async def opened(self) -> tuple[Page, FrameLocator]:
        """A tab of the shop with the chat open."""
        page = await self.page()
        await open_chat(page)
        return page, page.frame_locator("iframe")

    @asynccontextmanager
    async def withheld(self, address: str) -> AsyncIterator[None]:
        """Answers nothing from an address (a glob) before the block ends, as a slow network would."""
        over = asyncio.Event()

        async def later(route: Route) -> None:
            await over.wait()
            await route.continue_()

        await self.context.route(address, later)
        try:
            yield
        finally:
            over.set()

    @property
    def violations(self) -> list[str]:
        """What a content security policy stopped."""
        return [line for line in self.complaints if "Content Security Policy" in line or "violates" in line]


async def open_chat(page: Page) -> None:
    """Opens the chat through the page's own interface and waits until it is connected."""
    await comes_true(page, "window.frontdesk !== undefined")
    await page.evaluate("frontdesk.open()")
    await page.frame_locator("iframe").locator("#app[data-connection=online]").wait_for()


async def comes_true(page: Page, expression: str) -> None:
    """Waits for a condition in a page whose policy forbids the evaluation that Playwright's own waiting needs."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.02)


async def say(where: Page | FrameLocator, text: str) -> None:
    """Types a message and sends it with Enter."""
    await where.locator("#field").fill(text)
    await where.locator("#field").press("Enter")


async def kept(page: Page, count: int) -> None:
    """Waits until the browser has stored so many messages that wait to be sent; a tab may be closed then."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while await page.evaluate(OUTBOX) != count:
            await asyncio.sleep(0.02)


async def until(true: Callable[[], bool], deadline_s: float = 8.0) -> None:
    """Waits for a condition on the desk's side."""
    async with asyncio.timeout(deadline_s):
        while not true():
            await asyncio.sleep(0.02)


async def asked(page: Page, control: WebDouble, text: str = "When do you ship?") -> None:
    """Asks something and waits until the desk has it and a stream is open."""
    await say(page, text)
    await expect(page.locator(".customer[data-state=done]", has_text=text)).to_be_visible()
    await until(lambda: control.open_streams > 0)
