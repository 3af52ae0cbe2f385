"""Leads are kept once per call."""

from __future__ import annotations

from tests.server.tools.shopfront import Front


async def test_a_lead_is_kept_once(front: Front) -> None:
    talk = front.talk()
    wish = {"contact": "ana@mail.example", "interest": "twenty lamps", "name": "Ana"}
    first = await talk.run("capture_lead", wish, key="k")
    assert await talk.run("capture_lead", wish | {"contact": "bo@mail.example"}, key="k") == first
    [row] = await front.store.rows("tools.leads", tenant="default", limit=10)
    assert (row["name"], row["contact"], row["interest"]) == ("Ana", "ana@mail.example", "twenty lamps")


async def test_nobody_is_kept_who_cannot_be_reached(front: Front) -> None:
    result = await front.talk().run("capture_lead", {"contact": "me, of course", "interest": "lamps"})
    assert (result.ok, result.data["ask"]) == (False, "contact")


async def test_a_wish_to_be_called_asks_for_the_number_and_for_a_yes(front: Front) -> None:
    talk = front.talk(language="de")
    await talk.say("Können Sie mich bitte zurückrufen? Rufen Sie mich an wegen einer großen Bestellung von Lampen")
    assert talk.dialogue.asked == "contact"
    await talk.say("Petra Vogt, +49 30 23125 099")
    assert talk.pending is not None
    assert talk.pending.arguments["name"] == "Petra Vogt"
    await talk.say("ja")
    assert talk.outcome == "kept"
