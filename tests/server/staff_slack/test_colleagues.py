"""Who acts: by what an admin said, else by the address, and only who may work on the desk."""

from __future__ import annotations

from server.routes import Role
from server.staff_slack.colleagues import Colleagues
from tests.server.staff import TENANT
from tests.server.staff_slack.slack_bench import slack_bench


async def test_an_address_is_asked_once_and_an_admins_word_goes_before_it(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        colleagues = Colleagues(one.store, TENANT)
        for _ in range(2):
            known = await colleagues.who(one.room, "default", "UANA")
            assert known.principal is not None
            assert (known.principal.id, known.principal.role, known.principal.owner) == ("ana", Role.STAFF, "ana")
        assert one.room.asked == ["UANA"]
        link = {"tenant": TENANT, "account": "default", "slack_user": "UX", "how": "link", "linked_by": "adam"}
        await one.store.write(lambda tx: tx.run("staff_slack.link", **link, person_id="ben", now=tx.now_s))
        one.room.people["UX"] = {"email": "ana@example.com"}
        known = await colleagues.who(one.room, "default", "UX")
        assert known.principal is not None
        assert known.principal.id == "ben"
        assert "UX" not in one.room.asked
        other = await colleagues.who(one.room, "labs", "UX")
        assert other.principal is not None
        assert other.principal.id == "ana", "a link holds in its own workspace"


async def test_nobody_without_address_role_or_access(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        colleagues = Colleagues(one.store, TENANT)
        assert "e-mail" in (await colleagues.who(one.room, "default", "UNEW")).why
        assert "only look" in (await colleagues.who(one.room, "default", "UVERA")).why
        off = {"tenant": TENANT, "id": "ben", "role": "staff"}
        await one.store.write(lambda tx: tx.run("people.set_access", **off, disabled_at=tx.now_s))
        assert "switched off" in (await colleagues.who(one.room, "default", "UBEN")).why
