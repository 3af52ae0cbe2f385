"""Presence lasts as long as a console is heard, and changes are told once; on both stores."""

from __future__ import annotations

import json
import time

from server.duty.presence import Presence
from tests.server.staff import TENANT, Staff


class Clock:
    """Epoch seconds that jump when told, ahead of the store's."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def __call__(self) -> float:
        return time.time() + self.ahead_s


async def told(staff: Staff) -> list[tuple[str, str]]:
    found = [json.loads(event["body"]) for event in await staff.events() if event["kind"] == "presence"]
    return [(body["person"], body["status"]) for body in found]


async def test_whoever_is_heard_is_online_until_the_console_falls_silent(idle_staff: Staff) -> None:
    clock = Clock()
    presence = Presence(idle_staff.store, TENANT, 45.0, clock)
    assert await presence.of("ana") == "away"
    await presence.heard("ana")
    await presence.heard("ana")
    assert await presence.of("ana") == "online"
    assert await told(idle_staff) == [("ana", "online")], "once"
    clock.ahead_s = 60.0
    assert await presence.of("ana") == "away"
    await presence.heard("ana")
    assert await told(idle_staff) == [("ana", "online")] * 2, "and again when they come back"


async def test_being_heard_makes_nobody_less_busy(idle_staff: Staff) -> None:
    presence = Presence(idle_staff.store, TENANT, 45.0)
    await idle_staff.store.write(lambda tx: presence.set(tx, "ana", "busy"), order="~presence")
    await presence.heard("ana")
    assert await presence.of("ana") == "busy"
    everybody = {row["person"]: (row["status"], row["open"]) for row in await presence.everybody()}
    assert everybody == {"ana": ("busy", 0), "ben": ("away", 0), "adam": ("away", 0)}
