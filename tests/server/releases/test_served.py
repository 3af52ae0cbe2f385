"""Waiting for adapters through the store: nobody there, all have them, one cannot, none in time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.releases.served import FRESH_S, AdapterUnavailable, Served
from tests.server.engine.bench import Bench
from tests.server.releases.rig import adapter, candidate


async def tell(one: Bench, replica: str, served: list[str], failed: dict[str, str] | None = None) -> None:
    values: dict[str, Any] = {"served": json.dumps(served), "failed": json.dumps(failed or {})}
    await one.store.write(
        lambda tx: tx.run("releases.served", tenant="default", replica=replica, now=tx.now_s, **values)
    )


async def test_without_adapters_or_model_servers_there_is_nothing_to_wait_for(live: Bench):
    release_id = await candidate(live, 1)
    await Served(live.store, "default").ready(release_id, [], 0.1)
    await Served(live.store, "default").ready(release_id, [adapter(1)], 0.1)


async def test_all_of_them_must_have_it(live: Bench):
    release_id = await candidate(live, 1)
    served = Served(live.store, "default")
    await tell(live, "a", [adapter(1), adapter(2)])
    await served.ready(release_id, [adapter(1)], 0.3)
    await tell(live, "b", [])
    with pytest.raises(AdapterUnavailable, match="not ready after"):
        await served.ready(release_id, [adapter(1)], 0.3)


async def test_an_old_failure_is_no_answer_to_a_new_question(live: Bench):
    release_id = await candidate(live, 1)
    await tell(live, "a", [], {adapter(1): "broken"})
    with pytest.raises(AdapterUnavailable, match="not ready after"):
        await Served(live.store, "default").ready(release_id, [adapter(1)], 0.3)


async def test_a_model_server_that_was_not_heard_of_lately_is_gone(live: Bench):
    await tell(live, "a", [])
    (replica,) = await Served(live.store, "default").replicas()
    later = Served(live.store, "default", lambda: replica.seen_at + FRESH_S + 1)
    assert await later.replicas() == []


async def test_waiting_keeps_the_adapters_wanted(live: Bench):
    release_id = await candidate(live, 1)
    await Served(live.store, "default").ready(release_id, [adapter(1)], 1.0)
    row = await live.store.row("releases.card", tenant="default", release_id=release_id)
    assert row is not None
    assert row["wanted_until"] > row["changed_at"]
