"""The append-only record of who did what: one row per unsafe action, in the transaction of the action."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from server.ids import new_id
from server.routes import Principal
from server.store.contract import Tx


async def audit(
    tx: Tx, principal: Principal, action: str, target: str, detail: Mapping[str, Any] | None = None, ip: str = ""
) -> None:
    """Add the row inside the action's own unit, so that neither exists without the other.

    ``detail`` holds names, roles and states; never a secret and never what a customer wrote.
    """
    await tx.run(
        "audit.add",
        id=new_id(),
        tenant=principal.tenant,
        at=tx.now_s,
        actor_kind=principal.kind,
        actor_id=principal.id,
        action=action,
        target=target,
        detail=json.dumps(dict(detail or {}), ensure_ascii=False, sort_keys=True),
        ip=ip,
    )
