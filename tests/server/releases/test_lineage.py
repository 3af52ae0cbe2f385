"""What is said of an answer without an adapter; the whole way back is in tests/stores/test_releases.py."""

from __future__ import annotations

import pytest

from server.releases.lineage import lineage
from tests.server.engine.bench import Bench
from tests.server.releases.rig import ADMIN, adapter, candidate, case


async def test_an_adapter_that_nobody_trained_here_has_no_sources(one: Bench):
    await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    await one.releases.promote(tuned, by=ADMIN)
    await case(one, "c1")
    (reply,) = [row for row in await one.rows("messages", id="c1") if row["role"] == "assistant"]
    found = await lineage(one.store, "default", reply["id"])
    assert (found.conversation_id, found.release_id, found.state) == ("c1", tuned, "live")
    assert (found.adapter, found.dataset_id, found.sources) == (adapter(1), None, ())


async def test_a_message_that_is_not_there_is_said(one: Bench):
    with pytest.raises(LookupError, match="take its id from the conversation"):
        await lineage(one.store, "default", "nope")
