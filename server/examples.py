"""The review queue: who judged what, what may be trained on, and what has to go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from config.training import Training
from server import withdrawals
from server.candidates import Behaviour, Target, cluster_of, digest_of, unfit
from server.conversation import NotFound, Refused
from server.rows import row_of
from server.sight import ALL, Sight
from server.store.contract import Row, Store, Tx
from server.store.text import dump

REASONS = ("wrong", "private", "off_topic", "unclear", "duplicate", "tone", "untrue", "other")
EXPORT_ROWS = 500  # read at a time
MOST_AT_ONCE = 500  # examples one bulk decision may name


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an example: its state, and how many more reviewers it needs."""

    id: str
    status: str
    needed: int = 0
    adapters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two reviewers of the same example said the same."""

    judged: int
    agreed: int

    @property
    def share(self) -> float | None:
        """Part of the doubly judged examples, None where there are none."""
        return self.agreed / self.judged if self.judged else None


class Examples:
    """Examples of one bot; ``settings`` say whether one reviewer is enough."""

    def __init__(self, store: Store, tenant: str, settings: Training) -> None:
        self._store = store
        self._tenant = tenant
        self._reviewers = 2 if settings.second_reviewer else 1

    async def page(self, position: tuple[float, str], count: int, sight: Sight = ALL, **by: str) -> Sequence[Row]:
        """Examples before a position, the newest first; ``by``: status, cluster, behaviour, origin ('' = all)."""
        filters = {"status": "", "cluster": "", "behaviour": "", "origin": "", **by}
        at, row_id = position
        return await self._store.rows(
            "loop.examples", tenant=self._tenant, at=at, id=row_id, count=count, **filters, **sight.values()
        )

    async def get(self, example_id: str) -> tuple[Row, Sequence[Row]]:
        """One example and everybody's word on it; raises NotFound."""
        row = await self._store.row("loop.example", tenant=self._tenant, id=example_id)
        if row is None:
            raise _unknown()
        return row, await self._store.rows("loop.reviews", example_id=example_id)

    async def next(self, reviewer: str, sight: Sight = ALL) -> Row | None:
        """The oldest one that waits for this reviewer."""
        return await self._store.row("loop.next_example", tenant=self._tenant, reviewer=reviewer, **sight.values())

    async def counts(self) -> Sequence[Row]:
        """How many there are by status, origin and behaviour."""
        return await self._store.rows("loop.example_counts", tenant=self._tenant)

    async def agreement(self) -> Agreement:
        """How often reviewers agree."""
        row = await self._store.row("loop.agreement", tenant=self._tenant)
        return Agreement(int(row["judged"]), int(row["agreed"])) if row else Agreement(0, 0)

    async def approve(self, tx: Tx, example_id: str, reviewer: str, reasons: Sequence[str] = ()) -> Decision:
        """Say yes; it counts once as many different people as needed said yes to the same words. Raises Refused."""
        row = await self._open(tx, example_id)
        if row["status"] == "approved":
            return Decision(example_id, "approved")
        if row["status"] != "pending":
            raise Refused(f"the example was {row['status']}; only one that waits can be approved")
        if row["basis"] == "no":
            raise Refused("its channel account must not train (setting trainable); it cannot be approved")
        if why := unfit(row["behaviour"], json.loads(row["target"])["tool_calls"], json.loads(row["tools"])):
            raise Refused(f"{why}; edit it, or reject it")
        digest = digest_of(row["target"])
        await self._review(tx, example_id, reviewer, "approve", digest, reasons)
        given = [each["reviewer"] for each in await tx.rows("loop.reviews", example_id=example_id)
                 if each["verdict"] == "approve" and each["digest"] == digest]  # fmt: skip
        if len(given) < self._reviewers:
            return Decision(example_id, "pending", self._reviewers - len(given))
        second = given[1] if len(given) > 1 else None
        await tx.run(
            "loop.approve", tenant=self._tenant, id=example_id, digest=digest, approved_by=given[0], second_by=second,
            now=tx.now_s,
        )  # fmt: skip
        await self._decide(tx, example_id, "approved", reasons, given[0], second)
        return Decision(example_id, "approved")

    async def reject(self, tx: Tx, example_id: str, reviewer: str, reasons: Sequence[str] = ()) -> Decision:
        """Say no: one is enough. An approved one is taken out, and adapters trained on it are flagged."""
        row = await self._open(tx, example_id)
        if row["status"] == "rejected":
            return Decision(example_id, "rejected")
        await self._review(tx, example_id, reviewer, "reject", digest_of(row["target"]), reasons)
        adapters = await withdrawals.withdraw(tx, self._tenant, row, "rejected", by=reviewer, status="rejected")
        await self._decide(tx, example_id, "rejected", reasons, reviewer, None)
        return Decision(example_id, "rejected", adapters=tuple(adapters))

    async def skip(self, tx: Tx, example_id: str, reviewer: str, reasons: Sequence[str] = ()) -> Decision:
        """Leave it to somebody else: it comes back to this reviewer no more."""
        row = await self._open(tx, example_id)
        if row["status"] == "pending":
            await self._review(tx, example_id, reviewer, "skip", digest_of(row["target"]), reasons)
        return Decision(example_id, row["status"])

    async def reopen(self, tx: Tx, example_id: str, reviewer: str) -> Decision:
        """Take one's own word back: the example waits as if nothing had been said. Raises Refused, NotFound."""
        row = await self._open(tx, example_id)
        if row["status"] == "withdrawn":
            raise Refused("the example was withdrawn; it does not come back")
        given = [each["reviewer"] for each in await tx.rows("loop.reviews", example_id=example_id)]
        deciders = {row["decided_by"], row["second_by"]} if row["status"] != "pending" else {reviewer}
        if reviewer not in given or reviewer not in deciders:
            raise Refused("this was not your decision; only your own can be taken back")
        used = await tx.row("review.used", id=example_id)
        if row["status"] == "approved" and used is not None and used["n"]:
            raise Refused("a dataset holds this example already; reject it to keep it out of the next one")
        await tx.run("loop.revoke", tenant=self._tenant, id=example_id)
        await tx.run("review.taken_back", example_id=example_id, reviewer=reviewer)
        if row["status"] != "pending":
            await tx.run("review.reopen", tenant=self._tenant, id=example_id, now=tx.now_s)
        return Decision(example_id, "pending", self._reviewers)

    async def edit(self, tx: Tx, example_id: str, target: Target, behaviour: str = "") -> Decision:
        """Put other words in the target; what was said about the earlier ones counts no more. Raises Refused."""
        row = await self._open(tx, example_id)
        if target.empty:
            raise Refused("the target says nothing; write the answer, or reject the example")
        if why := unfit(behaviour or row["behaviour"], target.calls, json.loads(row["tools"])):
            raise Refused(f"{why}; change what it is an example of, or reject it")
        changed = await tx.run(
            "loop.edit_example",
            tenant=self._tenant,
            id=example_id,
            target=target.text(),
            behaviour=cast("Behaviour", behaviour or row["behaviour"]),
            cluster=cluster_of(row["question"]),
            now=tx.now_s,
        )
        if not changed:
            raise Refused(f"the example was {row['status']}; only one that waits can be edited")
        return Decision(example_id, "pending", self._reviewers)

    async def rows(self) -> AsyncIterator[dict[str, Any]]:
        """Everything that may be trained on, as rows for ``python -m training``, in the order of approval."""
        at, row_id = -1.0, ""
        while True:
            found = await self._store.rows("loop.usable", tenant=self._tenant, at=at, id=row_id, count=EXPORT_ROWS)
            for row in found:
                if digest_of(row["target"]) == row["approved_digest"]:
                    yield row_of(row)
            if len(found) < EXPORT_ROWS:
                return
            at, row_id = found[-1]["approved_at"], found[-1]["id"]

    async def _open(self, tx: Tx, example_id: str) -> Row:
        row = await tx.row("loop.lock_example", tenant=self._tenant, id=example_id)
        if row is None:
            raise _unknown()
        return row

    async def _review(
        self, tx: Tx, example_id: str, reviewer: str, verdict: str, digest: str, reasons: Sequence[str]
    ) -> None:
        await tx.run(
            "loop.give_review", example_id=example_id, reviewer=reviewer, tenant=self._tenant, verdict=verdict,
            digest=digest, reasons=dump({"codes": list(reasons)}), now=tx.now_s,
        )  # fmt: skip

    async def _decide(
        self, tx: Tx, example_id: str, status: str, reasons: Sequence[str], by: str, second: str | None
    ) -> None:
        await tx.run(
            "loop.decide_example", tenant=self._tenant, id=example_id, status=status,
            reasons=dump({"codes": list(reasons)}), decided_by=by, second_by=second, decided_at=tx.now_s, now=tx.now_s,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure reached.

    ``examples`` are the ids that are gone, ``adapters`` the ones flagged, ``folders`` those of runs that hold copies.
    """

    examples: tuple[str, ...]
    adapters: tuple[str, ...]
    folders: tuple[str, ...]


async def erase(tx: Tx, tenant: str, customer_id: str) -> Erased:
    """Remove everything the loop keeps of a customer; the caller clears the folders after the commit.

    Adapters that were trained on their words stay on disk, flagged: the next run replaces them.
    """
    key = {"tenant": tenant, "customer_id": customer_id}
    adapters = [row["name"] for row in await tx.rows("loop.customer_adapters", **key)]
    for name in adapters:
        await tx.run("loop.flag_adapter", tenant=tenant, name=name, reason="erased", now=tx.now_s)
    folders = [row["folder"] for row in await tx.rows("loop.customer_runs", **key)]
    for step in ("erase_dataset_rows", "erase_approvals", "erase_reviews"):
        await tx.run(f"loop.{step}", **key)
    gone = [row["id"] for row in await tx.rows("loop.erase_examples", **key)]
    for step in ("erase_corrections", "erase_made"):
        await tx.run(f"loop.{step}", **key)
    return Erased(tuple(gone), tuple(adapters), tuple(folders))


def shown_reasons(text: str | None) -> list[str]:
    """Reason codes as they are stored."""
    body: Mapping[str, Any] = json.loads(text) if text else {}
    return [str(code) for code in body.get("codes", ())]


def _unknown() -> NotFound:
    return NotFound("there is no such example; reload the list")
