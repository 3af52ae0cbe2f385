"""A service that knows something, for browsers: an embeddings endpoint, a Telegram bot, and whoever staff are."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page

from tests.browser.test_site import violations
from tests.doubles.telegram import SECRET, TOKEN, Telegram
from tests.scenario import Service
from tests.scenario import desk as service_on
from tests.scenarios.test_knowledge import _embed

ACCESS = {"argon2_memory_kib": 8_192, "attempts_per_minute": 100}  # everybody here signs in from one address
SHOTS = os.environ.get("BROWSER_TEST_SHOTS", "")  # a folder: pages are photographed into it


@asynccontextmanager
async def informed(folder: Path, telegram: Telegram) -> AsyncIterator[Service]:
    """A running service; vectors are missing, words find and nearness judges."""
    app = web.Application()
    app.router.add_post("/v1/embeddings", _embed)
    bot = {"token": TOKEN, "secret_token": SECRET, "api_base": telegram.base_url, "register_webhook": False}
    async with TestServer(app, host="127.0.0.1") as server:
        at = str(server.make_url("")).rstrip("/")
        sections: dict[str, Any] = {
            "access": ACCESS,
            "knowledge": {"embedding_url": f"{at}/v1", "chroma_url": at},
            "channels": {"web": {"default": {"sessions_per_minute": 1_000}}, "telegram": {"default": bot}},
        }
        async with service_on(f"sqlite:///{folder}/desk.db", folder, **sections) as running:
            yield running


async def checked(page: Page, name: str = "") -> None:
    """Asks axe in light and dark, and takes a picture of each where a folder for them is named."""
    for colours in ("light", "dark"):
        await page.emulate_media(color_scheme=colours)
        found = await violations(page)
        assert [(colours, each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
        if SHOTS and name:
            await page.screenshot(path=f"{SHOTS}/{name}-{colours}.png")
    await page.emulate_media(color_scheme="light")
