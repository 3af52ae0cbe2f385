from dataclasses import replace
from pathlib import Path

from server.conversation import Outcome
from server.engine.control import Control
from server.engine.look import Clocks, Look
from server.engine.words import Notice
from tests.places import Place
from tests.server.engine.screen import Screen, writing


async def look_of(place: Place, folder: Path, clocks: Clocks, now: float) -> Look:
    async with writing(place, folder, Screen()) as turn:
        return Look(turn.context, turn.lease, Control(), clocks, turn.one.settings.engine, lambda: now)


async def test_newer_messages_may_join_for_a_while(place: Place, tmp_path: Path):
    clocks = Clocks(0.0, dispatched=10.0)
    look = await look_of(place, tmp_path, clocks, 24.0)
    assert look.may_merge
    assert (look.saw_tail, look.saw_edits) == (1, 0)
    look.clock = lambda: 25.0
    assert not look.may_merge
    assert (look.saw_tail, look.saw_edits) == (None, None)


async def test_nothing_joins_once_a_tool_was_called_or_two_have(place: Place, tmp_path: Path):
    clocks = Clocks(0.0)
    look = await look_of(place, tmp_path, clocks, 1.0)
    assert look.may_merge
    clocks.merges = 2
    assert not look.may_merge
    clocks.merges, clocks.closed = 0, True
    assert not look.may_merge


def test_a_look_at_the_same_thing_is_no_merge():
    clocks = Clocks(0.0)
    for seen in ((1, 0), (1, 0), (2, 0), (2, 1)):
        clocks.look(*seen)
    assert clocks.merges == 2


async def test_endings_carry_the_notices_and_the_fence(place: Place, tmp_path: Path):
    look = await look_of(place, tmp_path, Clocks(0.0), 1.0)
    look.context = replace(look.context, notes=(Notice.IMAGE_UNREADABLE,), language="de")
    ending = look.answered(" text \n", "why", replies=("Ja",))
    assert (ending.text, ending.reason, ending.role, ending.extra) == ("text", "why", "assistant", {"replies": ["Ja"]})
    assert "Bilder" in ending.notices[0]
    assert (ending.owner_epoch, ending.release_id) == (0, look.context.release.id)
    told = look.told(Outcome.GRACEFUL, "x", Notice.STOPPED, offer="person")
    assert (told.text, told.role, told.extra) == ("Angehalten.", "notice", {"offer": "person"})
