"""The demo shop's site as a stranger's crawler sees it, and its database."""

from __future__ import annotations

import socket
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from config.settings import Settings
from server.commands import demo_shop
from server.commands.failure import Failure


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_site_says_its_own_address_and_serves_nothing_else() -> None:
    async with demo_shop.site(free_port()) as start, aiohttp.ClientSession() as http:
        origin = start.rpartition("/")[0]
        async with http.get(f"{origin}/robots.txt") as answer:
            assert f"Sitemap: {origin}/sitemap.xml" in await answer.text()
        async with http.get(f"{origin}/sitemap.xml") as answer:
            text = await answer.text()
            assert answer.content_type == "application/xml"
            assert (demo_shop.ORIGIN in text, text.count(origin)) == (False, 11)
        for path in ("/", "/journal/", "/staff/rota.html"):
            async with http.get(origin + path) as answer:
                assert (answer.status, answer.content_type) == (200, "text/html")
        for path in ("/../frontdesk.yaml", "/%2e%2e/orders.sql", "/nothing"):
            async with http.get(origin + path) as answer:
                assert answer.status == 404


async def test_the_database_is_made_once_a_week(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": str(tmp_path), "tools": {"shop": demo_shop.shop_path(tmp_path)}})
    monday = datetime(2026, 11, 16, 9, tzinfo=UTC)
    assert await demo_shop.make_database(settings, monday)
    assert not await demo_shop.make_database(settings, monday.replace(day=19))
    assert await demo_shop.make_database(settings, monday.replace(day=23))
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        assert shop.execute("select base_date from shop_calendar").fetchall() == [("2026-11-23",)]


async def test_a_database_that_cannot_be_made_names_the_repair(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"not a database" * 100)
    settings = Settings.model_validate({"data_dir": str(tmp_path), "tools": {"shop": demo_shop.shop_path(tmp_path)}})
    with pytest.raises(Failure, match="cannot be made"):
        await demo_shop.make_database(settings, demo_shop.now())
