"""What the model is asked for a draft, and what stays out of it."""

import json
from typing import Any

from server.handoff import Handoff
from tests.server.staff import Staff


async def frames(staff: Staff, conversation_id: str, body: Any, who: str = "ana") -> list[tuple[str, Any]]:
    answer = await staff.call(who, "POST", f"/api/conversations/{conversation_id}/suggestion", body)
    assert answer.status == 200, await answer.text()
    found = []
    for block in (await answer.text()).strip().split("\n\n"):
        kind, _, data = block.partition("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_a_draft_is_streamed_and_nothing_is_sent(staff: Staff):
    marta = await staff.talk("marta", texts=("Hello", "Where is my parcel?"))
    handoff = Handoff(staff.store)
    await handoff.claim(marta, "ana")
    await handoff.say(marta, "ana", "I will look.")
    await staff.say(marta, "Still nothing!")
    await staff.json("ana", "POST", f"/api/conversations/{marta}/notes", {"text": "SECRET NOTE"}, 201)
    before = len(await staff.events())
    assert await frames(staff, marta, {}) == [
        ("piece", {"text": "Hello, ", "instead": False}),
        ("piece", {"text": "Marta.", "instead": False}),
        ("done", {"finish": "stop", "citations": [], "text": "Hello, Marta."}),
    ]
    assert len(await staff.events()) == before
    ((release, asked),) = staff.assistant.asked
    assert (release, asked.question) == ("live", "Still nothing!")
    assert [(turn.role, turn.content) for turn in asked.history] == [
        ("user", "Hello"), ("user", "Where is my parcel?"), ("assistant", "I will look."),
    ]  # fmt: skip
    assert (asked.decoding.max_tokens, asked.language) == (400, "en")
    assert "SECRET" not in str(asked)


async def test_what_was_answered_since_is_left_out(staff: Staff):
    marta = await staff.talk("marta")
    await Handoff(staff.store).claim(marta, "ana")
    await Handoff(staff.store).say(marta, "ana", "I will look.")
    await frames(staff, marta, {"style": "shorter", "language": "de"})
    _, asked = staff.assistant.asked[0]
    assert (asked.question, asked.history, asked.language) == ("Where is my order?", (), "de")
    assert "two sentences" in asked.instructions
    await frames(staff, marta, {"text": "Your order ships on 3 May.", "style": "friendlier"})
    _, asked = staff.assistant.asked[1]
    assert (asked.question, asked.structured, asked.history) == ("Your order ships on 3 May.", True, ())
