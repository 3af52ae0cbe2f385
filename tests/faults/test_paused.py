"""A worker that slept through its lease."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.paused import paused

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


async def test_a_worker_stopped_before_its_commit_cannot_commit_after_its_lease(store_url: str, tmp_path: Path):
    verdict = await paused(store_url, tmp_path, "turn_generated:1:stop")
    assert verdict.clean, verdict.faults
