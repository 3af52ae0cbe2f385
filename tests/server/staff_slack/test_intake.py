"""Acts are taken in once, and only in threads of ours."""

from __future__ import annotations

from typing import Any, cast

import pytest

from channels.base import Unknown
from server.staff_slack.intake import take
from server.store.contract import Conflict, Tx
from tests.server.staff import TENANT
from tests.server.staff_slack.slack_bench import slack_bench


async def test_an_act_is_stored_once_and_only_in_a_thread_of_ours(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.waiting()
        facts = [one.fact("hello"), one.fact("hello"), one.fact("elsewhere", thread="9.9")]
        taken = [await one.store.write(lambda tx, fact=fact: take(tx, TENANT, fact)) for fact in facts]  # type: ignore[misc]
        assert taken == [True, False, False]
        (act,) = await one.rows("acts")
        assert act["state"] == "queued"


async def test_a_press_on_a_root_that_is_not_recorded_yet_is_told_again(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.mirror.step()
        key = await one.staff.talk("marta")
        await one.handoff.claim(key, "ana")
        await one.mirror.step()
        one.room.lost, one.room.errors = True, [Unknown("timeout")]
        await one.once()
        with pytest.raises(Conflict):
            await one.store.write(lambda tx: take(tx, TENANT, one.fact(action="close")))
        await one.shown()
        assert await one.act(action="close")


class Between:
    """A unit on PostgreSQL between whose first two looks the root's ts was recorded by somebody else."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def row(self, query: str, **values: Any) -> Any:
        if query == "staff_slack.at":
            self.looks += 1
            if self.looks == 1:
                return None
        return await self._tx.row(query, **values)


async def test_a_root_recorded_between_two_looks_is_found(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.waiting()
        assert await one.store.write(lambda tx: take(cast("Tx", Between(tx)), TENANT, one.fact("hello")))
        (act,) = await one.rows("acts")
        assert act["state"] == "queued"
