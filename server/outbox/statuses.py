"""What platforms tell later about what we sent: repeated, reordered, and sometimes before our own call returned."""

from __future__ import annotations

from channels.message import Status
from server import lanes
from server.outbox.ending import WINDOW_CLOSED, close_window, finish, progress, summary
from server.outbox.rows import ARRIVED, OPEN
from server.store.contract import Row, Store, Tx
from server.timeline import Timeline, lock

_RANK = {"queued": 0, "sending": 1, "uncertain": 2, "sent": 3, "delivered": 4, "read": 5}
_SETTLED = {"cancelled", "expired", "parked", "failed"}  # rows that only a whole arrival changes


async def apply_status(store: Store, tenant: str, status: Status) -> bool:
    """Move a part and its row forward, never back; returns whether anything changed (False: unknown, or old news).

    May be called any number of times in any order. ``failed`` counts only for what was not delivered; with the code
    ``window_closed`` it brings one template, any other failure lets the conversation wait for a person. An uncertain
    part is settled and its lane goes on at once. Raises StoreUnavailable.
    """
    found = await store.rows(*_query(status), **_names(tenant, status))
    if not found:
        return False
    conversation_id = str(found[0]["conversation_id"])

    async def unit(tx: Tx) -> bool:
        timeline = await lock(tx, conversation_id)
        part = await tx.row(*_query(status), **_names(tenant, status))
        if part is None or part["conversation_id"] != conversation_id or not _is_news(part["state"], status.state):
            return False
        row = await tx.row("outbox.row", id=part["outbox_id"])
        assert row is not None
        if status.state == "failed":
            return await _failed(tx, timeline, row, part, status)
        await _arrived(tx, timeline, row, part, status)
        return True

    return await store.write(unit, order=conversation_id)


def _is_news(now: str, told: str) -> bool:
    if told == "failed":
        return now not in {"delivered", "read", "failed", "queued"}
    return _RANK.get(now, _RANK["read"]) < _RANK[told] and now != "failed"


async def _arrived(tx: Tx, timeline: Timeline, row: Row, part: Row, status: Status) -> None:
    await tx.run(
        "outbox.part_told", id=part["id"], state=status.state, provider_id=status.provider_id or None, at=status.at,
        now=tx.now_s,
    )  # fmt: skip
    state = summary([each["state"] for each in await tx.rows("outbox.parts", outbox_id=row["id"])])
    if state in ARRIVED or row["state"] not in _SETTLED:
        # a row that was given up as uncertain keeps its reason until every part is settled
        await progress(tx, timeline, row, state, None if state in ARRIVED else row["reason"])
        await timeline.save(touch=False)
    await _wake(tx, timeline, part)


async def _failed(tx: Tx, timeline: Timeline, row: Row, part: Row, status: Status) -> bool:
    if not await tx.run("outbox.part_failed", id=part["id"], code=status.code, detail=status.detail, now=tx.now_s):
        return False
    told = {**part, "code": status.code, "detail": status.detail}
    if row["state"] in _SETTLED:
        return True
    if status.code == WINDOW_CLOSED:
        await close_window(tx, timeline, row, told)
    else:
        await finish(tx, timeline, row, "failed", status.code or "failed", ask=True, part=told)
    await _wake(tx, timeline, part)
    return True


async def _wake(tx: Tx, timeline: Timeline, part: Row) -> None:
    """Let a lane go on that waits for just this."""
    if part["state"] not in OPEN:
        return
    if await tx.run("outbox.wake_lane", tenant=timeline.tenant, conversation_id=timeline.id):
        tx.notify(lanes.topic("out"), timeline.id)


def _query(status: Status) -> tuple[str]:
    return ("outbox.part_by_id" if status.part_id else "outbox.part_by_provider",)


def _names(tenant: str, status: Status) -> dict[str, str]:
    place = {"tenant": tenant, "channel": status.channel, "account": status.account}
    return place | ({"id": status.part_id} if status.part_id else {"provider_id": status.provider_id})
