"""The sync comes before each 2xx, and the proof notices a store where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.syncs import ALONE, TOGETHER, missing, traced

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.skipif(missing() != "", reason=missing())]


async def test_every_acknowledged_message_was_synced_before_its_2xx(store_url: str, tmp_path: Path):
    proof = await traced(store_url, tmp_path, careless=False)
    assert proof.holds, str(proof)
    assert len(proof.acknowledged) == ALONE + TOGETHER


async def test_the_proof_fails_on_a_store_that_does_not_wait_for_the_sync(store_url: str, tmp_path: Path):
    proof = await traced(store_url, tmp_path, careless=True)
    assert not proof.holds
    assert proof.unsynced or proof.unwritten
