"""Keeping to a platform's speed: token buckets per account and per chat, shared by all senders.

Buckets run on the lease clock. The account's bucket is debited where lanes are taken, in units that run last in their
group: a row that every conversation wants must not be held while conversations are locked. A chat's bucket is debited
by the unit that marks a part sending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from channels.base import Limits, Pace
from server.store.contract import Row, Tx

ACCOUNT = "*"  # the chat of an account's own bucket
SHORTEST_S = 0.05  # a wait below this only costs commits
ROUNDING = 1e-6  # of a token: whoever waited as long as told gets one
FREE = Pace(per_s=1_000.0, burst=1_000)  # for a platform that names no limit: only "later" answers count


@dataclass(frozen=True, slots=True)
class Bucket:
    """Which bucket: an account's (``chat`` is ``*``) or a chat's."""

    tenant: str
    channel: str
    account: str
    chat: str = ACCOUNT

    @property
    def key(self) -> dict[str, str]:
        """The columns that name it."""
        return {"tenant": self.tenant, "channel": self.channel, "account": self.account, "chat": self.chat}


def chat_of(route: Mapping[str, str], address: str) -> str:
    """What a platform counts as one chat: the route's ``chat`` or ``channel`` where it names one, else the address."""
    return route.get("chat") or route.get("channel") or address


def pace_of(limits: Limits, route: Mapping[str, str]) -> Pace | None:
    """How fast one chat may be written to: where several people read, some platforms allow less."""
    return limits.group_pace if limits.group_pace is not None and route.get("group") else limits.chat_pace


async def debit(tx: Tx, bucket: Bucket, pace: Pace | None, count: int = 1) -> tuple[int, float]:
    """Take up to ``count`` tokens; returns how many there were and in how many seconds the next one comes.

    None of them while the platform said "later"; then the wait lasts until that time. A chat may belong to several
    conversations (threads of one Slack channel): whoever finds its bucket in use waits a moment without holding
    anything, because locks on buckets and conversations would cross.
    """
    query = "outbox.pace" if bucket.chat == ACCOUNT else "outbox.chat_pace"
    row = await tx.row(query, **bucket.key)
    if row is None:
        if pace is None:
            return count, 0.0
        await tx.run("outbox.make_pace", **bucket.key, level=pace.burst)
        row = await tx.row(query, **bucket.key)
    if row is None:
        return 0, SHORTEST_S
    limit = pace or FREE
    level, blocked_s = _now(row, limit)
    if blocked_s > 0:
        return 0, blocked_s
    granted = min(count, int(level + ROUNDING))
    level -= granted
    if pace is not None and granted:
        await tx.run("outbox.set_pace", **bucket.key, level=level, at=row["now_s"], blocked_until=0.0)
    return granted, max(SHORTEST_S, (1.0 - level) / limit.per_s)


async def block(tx: Tx, bucket: Bucket, wait_s: float) -> None:
    """Let nothing through for ``wait_s`` seconds: the platform said so. A longer wait known already stays."""
    await tx.run("outbox.make_pace", **bucket.key, level=1.0)
    row = await tx.row("outbox.pace", **bucket.key)
    assert row is not None
    until = row["now_s"] + max(wait_s, _blocked_s(row))
    await tx.run("outbox.set_pace", **bucket.key, level=min(row["level"], 1.0), at=row["now_s"], blocked_until=until)


def _now(row: Row, limit: Pace) -> tuple[float, float]:
    """Tokens now, and seconds for which the platform wants none."""
    passed_s = row["now_s"] - row["at"]
    if passed_s < 0:  # the clock began anew (another boot, another host): what was written then says nothing
        return float(limit.burst), 0.0
    return min(float(limit.burst), row["level"] + passed_s * limit.per_s), _blocked_s(row)


def _blocked_s(row: Row) -> float:
    return float(max(0.0, row["blocked_until"] - row["now_s"])) if row["now_s"] >= row["at"] else 0.0
