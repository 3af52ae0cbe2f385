"""Whether a channel account may be used: taken away by the platform, and given back."""

from __future__ import annotations

from server import lanes
from server.store.contract import Event, Tx


async def revoke(tx: Tx, tenant: str, channel: str, account: str, reason: str) -> bool:
    """Note that the platform refuses our credentials; sends wait from now on. Returns whether that was new.

    Give the unit that calls this the order ``~``: it locks a row that conversations share.
    """
    return await _set(tx, tenant, channel, account, "revoked", reason)


async def restore(tx: Tx, tenant: str, channel: str, account: str) -> bool:
    """Note that the credentials work (again); waiting sends go on within seconds. Returns whether that was new."""
    return await _set(tx, tenant, channel, account, "ok", "")


async def _set(tx: Tx, tenant: str, channel: str, account: str, state: str, reason: str) -> bool:
    place = {"tenant": tenant, "channel": channel, "account": account}
    if await tx.row("outbox.set_access", **place, state=state, reason=reason, now=tx.now_s) is None:
        return False
    tx.emit(Event(tenant, "account", {"channel": channel, "account": account, "state": state, "reason": reason}))
    if state == "ok":
        tx.notify(lanes.topic("out"))
    return True
