"""What stands against a call is told before the customer is asked for a yes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.tools.contract import Caller, Result, ToolUnavailable
from server.tools.plans import Call
from tests.places import Place
from tests.server.engine.bench import desk
from tests.server.engine.test_acting import told
from tests.server.engine.toolrig import CountingTool

BOOK = Call("stock", {"item": "lamp"}, summary="Book the lamp?")


class Foreseeing(CountingTool):
    """Says beforehand what ``ahead`` holds."""

    ahead: Result | ToolUnavailable | None = None

    async def preview(self, arguments: Mapping[str, Any], caller: Caller) -> Result | None:
        del caller
        assert arguments == {"item": "lamp"}
        if isinstance(self.ahead, ToolUnavailable):
            raise self.ahead
        return self.ahead


async def test_a_taken_slot_is_told_at_once_and_nothing_is_written_down(place: Place, tmp_path: Path):
    tool = Foreseeing(effect="write", confirm=True)
    tool.ahead = Result({"ask": "time"}, "Taken; 11:00 is free.", ok=False, replies=("11:00",))
    async with desk(place, tmp_path, tools=[tool], plans=[BOOK]) as one, one.working():
        assert await told(one) == ["Taken; 11:00 is free."]
        assert (await one.events("message"))[-1]["replies"] == ["11:00"]
        assert await one.rows("requests", id="c1") == []
        assert await one.steps() == []
        assert tool.calls == []


async def test_nothing_against_it_or_nobody_to_say_so_leads_to_the_question(place: Place, tmp_path: Path):
    tool = Foreseeing(effect="write", confirm=True)
    async with desk(place, tmp_path, tools=[tool], plans=[BOOK, BOOK]) as one, one.working():
        assert await told(one) == ["Book the lamp?"]
        tool.ahead = ToolUnavailable("the shop is away")
        assert await told(one, "again", 2) == ["Book the lamp?", "Book the lamp?"]
        assert tool.calls == []
