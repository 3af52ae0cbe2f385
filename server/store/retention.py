"""Forgetting: what is older than the shop wants to keep, in batches that leave room for customers' messages."""

from __future__ import annotations

from config.settings import StoreSettings
from server.store.contract import Store, Tx, Unit

BATCH_ROWS = 500  # per unit: a few milliseconds of the writer
_DAY_S = 86_400.0
_KEPT_FOR_RETENTION = (
    *("items", "events", "steps", "drafts", "turns", "parts", "outbox", "media", "messages"),
    *("misses", "requests", "webhooks", "verifications", "dialogues", "surveys"),
    *("dataset_rows", "approvals", "reviews", "examples", "prompts"),
)


async def purge(store: Store, settings: StoreSettings, now_s: float) -> dict[str, int]:
    """Delete what outlived ``retention_days`` (0 keeps everything) and ``dedupe_days``; returns rows per kind.

    Never deletes open items, uncovered messages (nor their files), messages with feedback, or a conversation's last
    event. The files of deleted ``media`` rows are removed by :meth:`server.media.Media.sweep`.
    """
    limits = {"dedupe": now_s - settings.dedupe_days * _DAY_S}
    if settings.retention_days:
        limits |= dict.fromkeys(_KEPT_FOR_RETENTION, now_s - settings.retention_days * _DAY_S)
    deleted = dict.fromkeys(limits, 0)
    for tenant in [str(row["id"]) for row in await store.rows("retention.tenants")]:
        for kind, before_s in limits.items():
            while True:
                count = await store.write(_batch(kind, tenant, before_s))
                deleted[kind] += count
                if count < BATCH_ROWS:
                    break
    return deleted


def _batch(kind: str, tenant: str, before_s: float) -> Unit[int]:
    """The unit that deletes at most BATCH_ROWS rows of one kind."""

    async def unit(tx: Tx) -> int:
        return await tx.run(f"retention.{kind}", tenant=tenant, before=before_s, limit=BATCH_ROWS)

    return unit
