"""A customer waits and nobody looks: each way is told once per wait, on both stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from config.alerts import Alerts as AlertSettings
from server.alerts import LETTER_TRIES, Alerts
from server.conversation import Reason
from server.handoff import Handoff, wait_for_person
from server.store.contract import Row, Tx
from server.timeline import lock
from server.tools.mail import Letter, MailError
from tests.server.staff import TENANT, Staff


@dataclass
class Postbox:
    """Takes letters and webhooks, or refuses letters."""

    letters: list[Letter] = field(default_factory=list)
    hooks: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    broken: bool = False

    async def send(self, letter: Letter) -> None:
        if self.broken:
            raise MailError("the mail server did not take it")
        self.letters.append(letter)

    async def hook(self, _tx: Tx, data: Mapping[str, Any], event_id: str) -> None:
        self.hooks.append((event_id, data))


class Rig:
    """Alerts over a real store, with a clock ahead of it by ``later_s``."""

    def __init__(self, staff: Staff, *emails: str) -> None:
        self.staff = staff
        self.box = Postbox()
        self.watching = False
        self.later_s = 0.0
        alerts = AlertSettings(after_s=60.0, emails=emails)
        http = staff.settings.http.model_copy(update={"public_url": "https://desk.test"})
        self.settings = staff.settings.model_copy(update={"alerts": alerts, "http": http})
        self.began: float | None = None

    async def run(self) -> None:
        """One round of a process that has just started."""
        await Alerts(self.staff.store, self.settings, self.box, self._watched, self.box.hook, lambda: self._now).run({})

    async def _watched(self) -> bool:
        return self.watching

    async def wait(self, name: str, channel: str = "web") -> str:
        talk = await self.staff.talk(name, channel)
        await self.ask(talk)
        return talk

    async def ask(self, talk: str) -> None:
        async def unit(tx: Tx) -> float:
            await wait_for_person(tx, await lock(tx, talk), Reason.CUSTOMER_ASKED)
            return tx.now_s

        self.began = await self.staff.store.write(unit)

    @property
    def _now(self) -> float:
        assert self.began is not None
        return self.began + self.later_s

    async def told(self) -> list[Row]:
        return [row for row in await self.staff.events() if row["kind"] == "alert"]


async def test_each_way_is_told_once_also_across_restarts(both_staff: Staff):
    rig = Rig(both_staff, "desk@shop.example", "boss@shop.example")
    talk = await rig.wait("tom")
    await rig.run()
    assert (await rig.told(), rig.box.letters, rig.box.hooks) == ([], [], [])
    rig.later_s = 61.0
    for _ in range(3):
        await rig.run()
    (told,) = await rig.told()
    assert (told["conversation_id"], told["audience"]) == (talk, "staff")
    assert [letter.to for letter in rig.box.letters] == ["desk@shop.example", "boss@shop.example"]
    assert [(data["conversation"], data["channel"]) for _, data in rig.box.hooks] == [(talk, "web")]
    text = rig.box.letters[0].text
    assert "web/default, for 1 min" in text
    assert "https://desk.test/console/inbox?view=waiting" in text
    assert "Tom" not in text
    assert "order" not in text


async def test_a_new_wait_of_the_same_customer_is_told_anew(both_staff: Staff):
    rig = Rig(both_staff, "desk@shop.example")
    talk = await rig.wait("tom")
    rig.later_s = 61.0
    await rig.run()
    await Handoff(both_staff.store).give_back(talk, "ana")
    await rig.run()
    await rig.ask(talk)
    rig.later_s = 61.0
    await rig.run()
    assert (len(await rig.told()), len(rig.box.letters), len({key for key, _ in rig.box.hooks})) == (2, 2, 2)


async def test_with_a_console_open_only_browsers_are_told_until_it_is_closed(both_staff: Staff):
    rig = Rig(both_staff, "desk@shop.example")
    await rig.wait("tom")
    rig.later_s, rig.watching = 61.0, True
    await rig.run()
    assert (len(await rig.told()), rig.box.letters, rig.box.hooks) == (1, [], [])
    rig.watching = False
    await rig.run()
    assert (len(await rig.told()), len(rig.box.letters), len(rig.box.hooks)) == (1, 1, 1)


async def test_one_letter_speaks_of_all_and_comes_again_only_when_it_failed(both_staff: Staff):
    rig = Rig(both_staff, "desk@shop.example")
    for name in ("tom", "mia"):
        await rig.wait(name)
    rig.later_s, rig.box.broken = 61.0, True
    await rig.run()
    rig.box.broken = False
    await rig.run()
    await rig.run()
    assert [letter.subject for letter in rig.box.letters] == ["frontdesk: 2 customers wait for a person"]
    assert len(rig.box.hooks) == 2
    rows = await both_staff.store.rows("alerts.recent", tenant=TENANT, count=9)
    assert [row["letter_tries"] for row in rows] == [2, 2]


async def test_a_letter_is_given_up_after_some_tries(staff: Staff):
    rig = Rig(staff, "desk@shop.example")
    await rig.wait("tom")
    rig.later_s, rig.box.broken = 61.0, True
    for _ in range(LETTER_TRIES):
        await rig.run()
    rig.box.broken = False
    await rig.run()
    assert rig.box.letters == []


async def test_nobody_is_alerted_of_claimed_snoozed_or_blocked_customers(both_staff: Staff):
    rig = Rig(both_staff, "desk@shop.example")
    claimed, snoozed, blocked = [await rig.wait(name) for name in ("tom", "mia", "zoe")]
    await Handoff(both_staff.store).claim(claimed, "ana")
    until = (rig.began or 0.0) + 3_600
    await both_staff.json("ana", "POST", f"/api/conversations/{snoozed}/snooze", {"until": until})
    await both_staff.json("ana", "POST", f"/api/conversations/{blocked}/block", {}, 204)
    await rig.ask(blocked)
    rig.later_s = 61.0
    await rig.run()
    assert (await rig.told(), rig.box.letters, rig.box.hooks) == ([], [], [])


async def test_zero_seconds_mean_never(staff: Staff):
    rig = Rig(staff, "desk@shop.example")
    rig.settings = rig.settings.model_copy(update={"alerts": AlertSettings(after_s=0)})
    await rig.wait("tom")
    rig.later_s = 1e6
    await rig.run()
    assert await rig.told() == []


async def test_admins_see_alerts_and_try_a_letter(staff: Staff):
    shown = await staff.json("adam", "GET", "/api/alerts")
    assert shown == {"after_s": 120.0, "emails": [], "mail": "folder", "webhook": False, "alerts": []}
    assert (await staff.call("adam", "POST", "/api/alerts/test")).status == 409
    assert (await staff.call("ana", "GET", "/api/alerts")).status == 403


@pytest.mark.parametrize("address", ["desk", "a@b@c", "a b@c", "@c", "a@"])
def test_addresses_are_checked(address: str):
    with pytest.raises(ValueError, match="is not an e-mail address"):
        AlertSettings(emails=(address,))
