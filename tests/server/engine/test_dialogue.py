from pathlib import Path

from server.conversation import Outcome
from server.engine import dialogue
from server.engine.record import Ending
from server.tools.plans import Dialogue
from tests.places import Place
from tests.server.engine.bench import Bench, bench


async def ended(one: Bench, change: dialogue.Also) -> Dialogue:
    await one.say()
    lease = await one.take_one()
    await one.end(lease, Ending(Outcome.ANSWERED, lease.tail, also=(change,)))
    return await dialogue.read(one.store, "c1")


async def test_a_dialogue_is_kept_changed_and_forgotten_by_endings(either: Place, tmp_path: Path):
    async with bench(either, tmp_path) as one:
        assert await dialogue.read(one.store, "c1") == Dialogue()
        await one.say()
        lease = await one.take_one()
        await one.end(lease, Ending(Outcome.ANSWERED, lease.tail))
        first = Dialogue("book", {"day": "Möntag\x00", "people": 2}, "time", 1)
        kept = await ended(one, dialogue.keep(lease, first))
        assert kept == Dialogue("book", {"day": "Möntag\ufffd", "people": 2}, "time", 1)
        asked = await ended(one, dialogue.after(lease, "book", {"day": "x"}, {"ask": "people"}))
        assert asked == Dialogue("book", {"day": "x"}, "people", 0)
        assert await ended(one, dialogue.after(lease, "book", {"day": "x"}, {"free": 1})) == Dialogue()
        await ended(one, dialogue.keep(lease, first))
        assert await ended(one, dialogue.clear(lease)) == Dialogue()
