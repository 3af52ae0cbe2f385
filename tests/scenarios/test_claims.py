"""A staff claim against an answer being generated and sent, on every channel; the long run is ``benchmarks.claims``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.races import PLACES, contests, races

RACES = 8
SEED = 11
PEOPLE = 20
MEDIAN_SILENT_S = 0.2  # the benchmark measures the rest; here other tests run beside


@pytest.mark.parametrize("place", PLACES)
async def test_nothing_of_the_bot_leaves_after_a_claim(place: str, store_url: str, tmp_path: Path) -> None:
    verdict = await races(place, store_url, tmp_path, RACES, SEED)
    assert verdict.races == RACES
    assert (verdict.marked_after, verdict.stored_after) == (0, 0)
    assert verdict.wrong_lists == 0, "the claim's answer lists exactly what is in flight"
    assert sorted(verdict.silent_s)[RACES // 2] <= MEDIAN_SILENT_S


async def test_of_twenty_who_claim_at_once_one_wins(store_url: str, tmp_path: Path) -> None:
    for statuses in await contests(store_url, tmp_path, PEOPLE, 3):
        assert sorted(statuses) == [200] + [409] * (PEOPLE - 1)
