"""B4, the short seeded form: the long one is ``python -m tests.faults.tool_kills --kills 200``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.tool_kills import HELD, POINTS, run

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]


async def test_no_kill_doubles_an_effect_or_asks_the_model_again(store_url: str, tmp_path: Path) -> None:
    desk = await run(store_url, tmp_path, kills=6, seed=4)
    assert desk.findings == []
    assert desk.kills == Counter([*POINTS, HELD, HELD])
    assert len(desk.crm.effects) == 6
