"""Every named point of the server is in the drill and in the page about it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.drill.trials import PLATFORM_POINTS
from tests.faults.drill import POINTS
from tests.faults.paused import PLACES
from tests.faults.processes import ROOT
from tests.faults.tool_kills import POINTS as TOOL_POINTS

_REACHED = re.compile(r"reach\(\"(\w+)\"\)|point = \"(\w+)\" if progress.text else \"(\w+)\"")


def placed(folder: Path) -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return {name for text in texts for found in _REACHED.findall(text) for name in found if name}


def test_every_point_is_used_by_a_drill_and_described() -> None:
    names = placed(ROOT / "server")
    assert names == set(PLATFORM_POINTS) | {place.partition(":")[0] for place in PLACES} | set(TOOL_POINTS)
    assert set(POINTS) < set(PLATFORM_POINTS)
    page = (ROOT / "docs" / "measurements" / "faults.md").read_text(encoding="utf-8")
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
