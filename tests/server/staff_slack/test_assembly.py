"""What a process starts for staff in Slack."""

from __future__ import annotations

from config.settings import Settings
from server.handoff import Handoff
from server.routes import Role
from server.staff_slack.assembly import FORGET, StaffSlack
from tests.server.staff import TENANT, open_staff
from tests.server.staff_slack.slack_bench import slack_bench

SLACK = {"bot_token": "xoxb", "signing_secret": "s"}


async def test_only_a_worker_with_a_staff_channel_starts_anything(store_url: str) -> None:
    async with open_staff(store_url) as staff:
        for room, works, started in (("C0STAFF", True, 3), ("", True, 0), ("C0STAFF", False, 0)):
            slack = {"default": SLACK | {"staff_channel": room}}
            settings = Settings.model_validate({"tenant": TENANT, "channels": {"slack": slack}})
            made = StaffSlack(
                staff.store,
                settings,
                lambda *_: None,
                Handoff(staff.store),
                staff.desk.sends,
                staff.desk.teams,
                works=works,
            )
            assert len(made.resources()) == started
            assert {route.role for route in made.routes()} == {Role.ADMIN}
            assert set(made.jobs()) == set(made.schedules()) == {FORGET}


async def test_what_was_done_long_ago_is_forgotten(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.waiting()
        await one.act("a note")
        made = StaffSlack(
            one.store,
            one.staff.settings,
            lambda *_: None,
            one.handoff,
            one.staff.desk.sends,
            one.staff.desk.teams,
            works=True,
        )
        await made.jobs()[FORGET]({})
        assert len(await one.rows("acts")) == 1, "it is new"
