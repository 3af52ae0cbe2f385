import json

import pytest

from server.audit import audit
from server.routes import Principal, Role
from server.store.contract import Tx
from tests.server.desk import Desk

ANA = Principal("shop", "person", "p1", Role.ADMIN)


async def test_the_row_lives_and_dies_with_its_action(both_desk: Desk):
    async def fails(tx: Tx) -> None:
        await audit(tx, ANA, "x.do", "thing", {"a": 1}, "192.0.2.1")
        raise ValueError("the action failed")

    async def works(tx: Tx) -> None:
        await audit(tx, ANA, "x.do", "thing", {"to": "Köln"}, "192.0.2.1")

    with pytest.raises(ValueError, match="failed"):
        await both_desk.store.write(fails)
    assert await both_desk.audit_rows() == []
    await both_desk.store.write(works)
    rows = await both_desk.audit_rows()
    assert [(row["actor_kind"], row["actor_id"], row["action"], row["target"], row["ip"]) for row in rows] == [
        ("person", "p1", "x.do", "thing", "192.0.2.1")
    ]
    assert json.loads(rows[0]["detail"]) == {"to": "Köln"}
