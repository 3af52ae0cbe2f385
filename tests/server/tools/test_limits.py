"""Calls and costs of an hour, on both stores."""

from __future__ import annotations

import pytest

from server.store.contract import Store
from server.tools.contract import Policy, ToolRefused
from server.tools.limits import HOUR_S, Limits
from tests.places import FakeClock
from tests.server.tools import bench as _queries  # noqa: F401 - loads the statements that tests read with


async def test_a_conversation_may_call_a_tool_so_often_in_an_hour(store: Store) -> None:
    clock = FakeClock()
    limits = Limits(store, 100.0, clock.wall_s)
    policies = {"fee": Policy(per_hour=2), "free": Policy()}
    for key in ("1", "2", "2"):
        await limits.admit("c1", "fee", policies, key)
    with pytest.raises(ToolRefused, match="2 times in this hour"):
        await limits.admit("c1", "fee", policies, "3")
    await limits.admit("c2", "fee", policies, "3")
    await limits.admit("c1", "free", policies, "4")
    clock.pass_s(HOUR_S)
    await limits.admit("c1", "fee", policies, "5")
    rows = await store.rows("toolbench.rates", id="c1")
    assert [(row["tool"], row["calls"]) for row in rows] == [("fee", 2), ("fee", 1)]
    clock.pass_s(2 * HOUR_S)
    assert await limits.forget() == 3


async def test_costs_of_all_tools_count_together(store: Store) -> None:
    limits = Limits(store, 10.0, FakeClock().wall_s)
    policies = {"map": Policy(cost=4.0), "scan": Policy(cost=3.0)}
    await limits.admit("c1", "map", policies, "1")
    await limits.admit("c1", "scan", policies, "2")
    with pytest.raises(ToolRefused, match="cost enough"):
        await limits.admit("c1", "map", policies, "3")
    await limits.admit("c1", "scan", policies, "4")
