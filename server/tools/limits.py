"""How often and how expensively one conversation may act: counts per tool and hour, kept in the store."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from server.store.contract import Store, Tx
from server.tools.contract import Policy, ToolRefused

HOUR_S = 3_600
REMEMBERED = 10_000  # keys of steps that were counted: a step that is repeated counts once
UNLIMITED = 1_000_000  # calls of one tool in an hour; counted for the costs all the same


class Limits:
    """Admits calls; ``cost_per_hour`` bounds the costs of one conversation, ``clock`` is epoch seconds."""

    def __init__(self, store: Store, cost_per_hour: float, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._cost_per_hour = cost_per_hour
        self._clock = clock
        self._counted: OrderedDict[str, None] = OrderedDict()

    async def admit(self, conversation_id: str, tool: str, policies: Mapping[str, Policy], key: str) -> None:
        """Count one call of ``tool``, unless ``key`` was counted before; ``policies`` are those of all tools.

        Raises ToolRefused when the hour's calls or costs are used up; nothing is counted then. A conversation runs its
        calls in one lane, so two processes never admit for it at once.
        """
        policy, hour = policies[tool], int(self._clock() // HOUR_S)
        if key in self._counted or (policy.per_hour is None and not policy.cost):
            return

        async def unit(tx: Tx) -> str:
            if policy.cost:
                calls = await tx.rows("tools.calls_of_hour", conversation_id=conversation_id, hour=hour)
                spent = sum(row["calls"] * policies[row["tool"]].cost for row in calls if row["tool"] in policies)
                if spent + policy.cost > self._cost_per_hour:
                    return "the calls of this hour have cost enough; hand over to staff"
            limit = policy.per_hour or UNLIMITED
            counted = await tx.row(
                "tools.count_call", conversation_id=conversation_id, tool=tool, hour=hour, limit=limit
            )
            return "" if counted else f"{tool} was called {limit} times in this hour; try later or hand over to staff"

        if refusal := await self._store.write(unit, order=conversation_id):
            raise ToolRefused(refusal)
        self._counted[key] = None
        if len(self._counted) > REMEMBERED:
            self._counted.popitem(last=False)

    async def forget(self) -> int:
        """Drop counts of hours that are over; returns how many."""
        hour = int(self._clock() // HOUR_S)
        return await self._store.write(lambda tx: tx.run("tools.forget_calls", hour=hour - 1))
