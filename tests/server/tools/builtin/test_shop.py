"""The shop's database: reads cannot write, changes are whole, and what is away says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.tools.builtin.shop import open_shop, statements
from server.tools.contract import ToolUnavailable
from tests.server.tools.shopfront import Front, counted


async def test_a_read_cannot_write(front: Front) -> None:
    with pytest.raises(ToolUnavailable):
        await front.shop.rows("delete from bookings returning id")
    assert await counted(front.shop, "bookings") == 16


async def test_a_change_that_fails_leaves_nothing(front: Front) -> None:
    with pytest.raises(ToolUnavailable):
        await front.shop.script("delete from bookings; insert into bookings (id) values ('x');")
    assert await counted(front.shop, "bookings") == 16


async def test_a_shop_that_is_not_there_says_so(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/none.db", "postgresql://nobody@127.0.0.1:1/none"):
        shop = open_shop(url)
        async with shop.running():
            with pytest.raises(ToolUnavailable):
                await shop.rows("select 1")
    with pytest.raises(ValueError, match=r"tools\.shop"):
        open_shop("mysql://x")


def test_semicolons_in_text_end_no_statement() -> None:
    assert statements("-- a;b\nselect ';', 'it''s';\nselect 2;") == ["select ';', 'it''s'", "select 2"]
