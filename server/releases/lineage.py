"""Where an answer came from: reply → release → adapter → rows of its dataset → the messages they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.sight import ALL, Sight
from server.store.contract import Row, Store

MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Lineage:
    """What is known of one reply; adapter and dataset are None where the base model answered.

    ``sources`` are the dataset's rows with the messages they came from, None where a message was erased or is another
    team's.
    """

    message_id: str
    conversation_id: str
    release_id: str | None
    state: str | None
    adapter: str | None
    dataset_id: str | None
    dataset_digest: str | None
    run_id: str | None
    sources: tuple[Mapping[str, Any], ...]


async def lineage(store: Store, tenant: str, message_id: str, sight: Sight = ALL) -> Lineage:
    """Read it in one query; raises LookupError for a message that is not there."""
    rows = await store.rows("releases.lineage", tenant=tenant, message_id=message_id, count=MOST_ROWS, **sight.values())
    if not rows:
        raise LookupError(f"there is no message {message_id}; take its id from the conversation")
    first = rows[0]
    return Lineage(
        first["message_id"],
        first["conversation_id"],
        first["release_id"],
        first["state"],
        first["adapter"],
        first["dataset_id"],
        first["dataset_digest"],
        first["run_id"],
        tuple(_source(row) for row in rows if row["example_id"] is not None),
    )


def _source(row: Row) -> Mapping[str, Any]:
    return {
        "example": row["example_id"],
        "split": row["split"],
        "message": row["source_message"],
        "conversation": row["source_conversation"],
    }
