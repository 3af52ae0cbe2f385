"""The demo shop moves to the present by whole weeks."""

from __future__ import annotations

from datetime import date

import pytest

from server.tools.builtin.seed import moved, seed
from server.tools.builtin.shop import Shop, open_shop
from server.tools.contract import ToolUnavailable
from tests.server.tools.shopfront import DEMO, Front

SCRIPT = DEMO / "orders.sql"


async def monday(shop: Shop) -> str:
    return str((await shop.rows("select base_date from shop_calendar"))[0]["base_date"])


def test_every_date_moves_also_those_inside_notes() -> None:
    script = moved(SCRIPT.read_text("utf-8"), date(2026, 11, 19))
    assert "'2026-11-16'" in script
    assert "waits at the depot in Oranmore until 2026-11-19." in script
    assert moved(SCRIPT.read_text("utf-8"), date(2026, 11, 8)) == SCRIPT.read_text("utf-8")
    with pytest.raises(ValueError, match="base_date"):
        moved("select 1", date(2026, 11, 8))


async def test_a_shop_is_made_once_a_week(front: Front) -> None:
    assert not await seed(front.shop, SCRIPT, date(2026, 11, 8))
    assert await seed(front.shop, SCRIPT, date(2026, 11, 9))
    assert await monday(front.shop) == "2026-11-09"
    days = await front.shop.rows("select distinct day from slots where service_id = 'workshop_visit'")
    assert {date.fromisoformat(row["day"]).weekday() for row in days} == {2, 4}


async def test_somebody_elses_shop_stays_untouched(shop_url: str) -> None:
    shop = open_shop(shop_url)
    async with shop.running():
        await shop.script("create table orders (number text); insert into orders values ('X-1');")
        with pytest.raises(ToolUnavailable):
            await seed(shop, SCRIPT, date(2026, 11, 9))
        assert [row["number"] for row in await shop.rows("select number from orders")] == ["X-1"]
