"""Which person of the desk a user of Slack is: as an admin said, else by the confirmed address in the workspace."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from server.routes import Principal, Role
from server.staff_slack.contract import Room
from server.store.contract import Row, Store, Tx

CHECK_S: Final = 3_600.0  # an address is asked again after this
ADMIN_LINK: Final = "link"


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody who may act, as the desk knows them; ``why`` says what is missing for anybody else."""

    principal: Principal | None
    why: str = ""


class Colleagues:
    """Users of Slack of one tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def who(self, room: Room, account: str, user: str) -> Known:
        """Who acts; asks Slack for the address of somebody new. Raises SendError."""
        key = {"tenant": self._tenant, "account": account, "slack_user": user}
        row = await self._store.row("staff_slack.person", **key)
        if row is None or (row["how"] != ADMIN_LINK and time.time() - row["checked_at"] > CHECK_S):
            row = await self._asked(room, account, user)
        if row is None:
            return Known(None, "nobody at the desk has your e-mail address; ask an admin to link your Slack user")
        role = Role(row["role"])
        if row["disabled_at"] is not None:
            return Known(None, "your access to the desk was switched off")
        if not role.covers(Role.STAFF):
            return Known(None, "you may only look; ask an admin for the role staff")
        return Known(Principal(self._tenant, "person", row["id"], role, row["name"], row["email"]))

    async def _asked(self, room: Room, account: str, user: str) -> Row | None:
        email = (await room.person(user)).get("email", "")
        key = {"tenant": self._tenant, "account": account, "slack_user": user}
        found = await self._store.row("people.by_email", tenant=self._tenant, email=email) if email else None

        async def unit(tx: Tx) -> None:
            if found is None:
                await tx.run("staff_slack.unlink_email", **key)
            else:
                await tx.run(
                    "staff_slack.link", **key, person_id=found["id"], how="email", linked_by=None, now=tx.now_s
                )

        await self._store.write(unit, order="~")
        return await self._store.row("staff_slack.person", **key)
