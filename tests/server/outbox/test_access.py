"""An account's access, taken away and given back."""

from __future__ import annotations

from server.outbox import access
from tests.server.outbox.post import Post


async def test_each_change_is_announced_once(one: Post):
    woken: list[str] = []
    one.store.listen("lane:out", lambda _topic, payload: woken.append(payload))
    for _ in range(2):
        await one.store.write(lambda tx: access.revoke(tx, "default", "slack", "shop", "token_revoked"), order="~")
    for _ in range(2):
        await one.store.write(lambda tx: access.restore(tx, "default", "slack", "shop"), order="~")
    rows = await one.store.rows("store.events_since", tenant="default", after=0, limit=100)
    told = [row["body"] for row in rows if row["kind"] == "account"]
    assert ['"revoked"' in told[0], '"ok"' in told[1], len(told)] == [True, True, 2]
    assert woken == [""]
