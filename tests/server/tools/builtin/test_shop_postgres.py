"""How values reach PostgreSQL; everything else of it runs in test_shop.py and its neighbours."""

from __future__ import annotations

import pytest

from server.tools.builtin.shop_postgres import PostgresShop, numbered
from server.tools.contract import ToolUnavailable


def test_question_marks_are_numbered_outside_of_text() -> None:
    assert numbered("select '?', a from t where b = ? and c = 'it''s ?' and d = ?") == (
        "select '?', a from t where b = $1 and c = 'it''s ?' and d = $2"
    )


async def test_nothing_is_asked_before_it_runs() -> None:
    with pytest.raises(ToolUnavailable, match="not open"):
        await PostgresShop("postgresql://nobody@127.0.0.1:1/none").rows("select 1")
