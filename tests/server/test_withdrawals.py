"""Taking examples back."""

from __future__ import annotations

from pathlib import Path

from server import withdrawals
from tests.server.loop_bench import loop_bench


async def test_only_what_the_assistant_said_itself_is_withdrawn_with_its_answer(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        answer = await one.ask()
        await one.thumb(answer)
        (confirmed,) = await one.collected()
        await one.approve(confirmed["id"])
        assert await one.store.write(lambda tx: withdrawals.of_message(tx, "default", answer, "private")) == 1
        assert await one.store.write(lambda tx: withdrawals.of_message(tx, "default", answer, "private")) == 0
        await one.correct(answer, "Three days.")
        assert await one.store.write(lambda tx: withdrawals.of_message(tx, "default", answer, "private")) == 0
        found = {row["origin"]: (row["status"], row["reasons"]) for row in await one.collected()}
        assert found["confirmed"] == ("withdrawn", {"codes": ["private"]})
        assert found["correction"][0] == "pending"
        assert (await one.rows("approvals"))[0]["usable"] == 0
        assert [row async for row in one.examples.rows()] == []
