"""Why an answer got a thumb down: asked once, and only where nobody else speaks."""

from __future__ import annotations

import json

import pytest

from server import reasons
from server.buttons import REASONS
from server.handoff import Handoff
from server.store.contract import Tx
from server.timeline import lock
from tests.server.staff import Staff, open_staff


async def ask(staff: Staff, key: str, message: str = "m1") -> bool:
    async def unit(tx: Tx) -> bool:
        timeline = await lock(tx, key)
        asked = await reasons.ask(tx, timeline, message)
        await timeline.save()
        return asked

    return await staff.store.write(unit, order=key)


async def test_an_answer_is_asked_about_once(store_url: str) -> None:
    async with open_staff(store_url) as staff:
        key = await staff.talk("marta", "telegram")
        assert [await ask(staff, key), await ask(staff, key), await ask(staff, key, "m2")] == [True, False, True]
        said = [json.loads(row["body"]) for row in await staff.events() if row["kind"] == "message"]
        assert [one["reasons"] for one in said if one["role"] == "notice"] == ["m1", "m2"]


async def test_nobody_is_asked_on_the_web_or_while_staff_speak(store_url: str) -> None:
    async with open_staff(store_url) as staff:
        assert not await ask(staff, await staff.talk("web"))
        key = await staff.talk("marta", "telegram")
        await Handoff(staff.store).claim(key, "ana")
        assert not await ask(staff, key)


@pytest.mark.parametrize("language", ["en", "de-AT", "es", "ar", "xx"])
def test_every_reason_has_its_word(language: str) -> None:
    labels = reasons.labels(language)
    assert tuple(labels) == REASONS
    assert all(labels.values())
    assert max(map(len, labels.values())) <= 20, "WhatsApp cuts there"
    assert reasons.question(language)
