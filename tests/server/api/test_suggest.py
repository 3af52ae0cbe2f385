"""The model's draft: streamed with history and release, rewritten on request, refused in words, never sent."""

import json
from typing import Any

from models.chat import ModelBusy, ModelTimeout
from server.assistant import Piece
from tests.server.staff import Staff


async def frames(staff: Staff, conversation_id: str, body: Any, who: str = "ana") -> list[tuple[str, Any]]:
    answer = await staff.call(who, "POST", f"/api/conversations/{conversation_id}/suggestion", body)
    assert answer.status == 200, await answer.text()
    found = []
    for block in (await answer.text()).strip().split("\n\n"):
        kind, _, data = block.partition("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_words_that_replace_others_are_told_so(staff: Staff):
    marta = await staff.talk("marta")
    staff.assistant.pieces = [Piece("Maybe"), Piece("I do not know.", instead=True, finish="stop")]
    found = await frames(staff, marta, {})
    assert found[1] == ("piece", {"text": "I do not know.", "instead": True})
    assert found[-1][1]["text"] == "I do not know."


async def test_refusals_come_with_a_status_before_the_first_word(staff: Staff):
    marta, silent = await staff.talk("marta"), await staff.talk("luis", texts=())
    path = f"/api/conversations/{marta}/suggestion"
    await staff.json("ana", "POST", "/api/conversations/nowhere/suggestion", {}, 404)
    await staff.json("ana", "POST", f"/api/conversations/{silent}/suggestion", {}, 409)
    await staff.json("ana", "POST", path, {"style": "rude"}, 422)
    staff.assistant.error = ModelTimeout("first_token", 8.0)
    found = await frames(staff, marta, {})
    assert (found[0][0], found[1][0], found[1][1]["title"]) == ("piece", "error", "Model unavailable")
    staff.assistant.pieces = []
    await staff.json("ana", "POST", path, {}, 503)
    staff.assistant.error = ModelBusy("busy")
    await staff.json("ana", "POST", path, {}, 429)
    statuses = [(await staff.call("ben", "POST", path, {"style": "x"})).status for _ in range(31)]
    assert (statuses[0], statuses[-1]) == (422, 429)
