"""Which conversations get a thread."""

from __future__ import annotations

from server.conversation import Reason
from server.staff_slack.contract import Desks
from server.staff_slack.mirror import Mirror
from tests.server.staff import TENANT
from tests.server.staff_slack.slack_bench import slack_bench


async def test_only_conversations_that_need_people_get_a_thread_and_keep_it(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.mirror.step()
        first, _second = await one.staff.talk("marta"), await one.staff.talk("otto")
        await one.mirror.step()
        assert not await one.rows("threads")
        await one.handoff.ask(first, Reason.CUSTOMER_ASKED)
        await one.mirror.step()
        (thread,) = await one.rows("threads")
        assert (thread["conversation_id"], thread["account"], thread["room"]) == (first, "default", "C0STAFF")
        await one.handoff.give_back(first, "ana")
        await one.shown()
        assert "With the assistant" in one.room.texts[0], "as it is when the root is posted"


async def test_who_waits_already_is_shown_at_the_first_start(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        key = await one.staff.talk("marta", texts=tuple(f"word {number}" for number in range(20)))
        await one.handoff.ask(key, Reason.CUSTOMER_ASKED)
        await one.shown()
        assert "Waiting" in one.room.texts[0]
        assert "word 19" in one.room.texts[1]
        assert "word 2\n" not in one.room.texts[1], "the thread begins with the latest"


async def test_nothing_happens_without_a_staff_channel_and_the_follower_runs(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        nowhere = Mirror(one.store, TENANT, Desks({}))
        async with nowhere.running():
            key = await one.staff.talk("marta")
            await one.handoff.ask(key, Reason.CUSTOMER_ASKED)
            await nowhere.step()
        assert not await one.rows("threads")
