"""Erasing a customer: a job in steps, each of which may be repeated, and a report of what was removed.

    gather     who it is, which conversations, files and words there are; the bot is silenced, nobody sees them any more
    files      the bytes of files
    training   examples, datasets and run folders; adapters that learned from them are flagged
    talks      every table of each conversation, the conversation last, under its lock
    person     addresses, merges, the customer
    traces     what others copied: documents with passages and vectors, prompts, reports, letters
    check      every table is asked once more

The row of the erasure stays as proof; its plan, which holds what to look for, is emptied at the end. A platform's
repetition of an old message is known by a digest and stays unanswered; a customer who writes again begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from config.settings import Settings
from server import examples, lanes
from server.conversation import NotFound
from server.customers import traces
from server.customers.records import tell
from server.customers.tables import CONVERSATION, CUSTOMER
from server.gateway import blind
from server.ids import new_id
from server.knowledge.documents import Documents
from server.media.files import Files, Missing
from server.store.contract import Fenced, Row, Store, Tx
from server.store.text import dump

log = structlog.get_logger()

JOB: Final = "erase"
CRON: Final = "*/5 * * * *"  # whatever was left behind goes on
STEPS: Final = ("gather", "files", "training", "talks", "person", "traces", "check")
BATCH: Final = 500
OPEN: Final = frozenset({"queued", "running"})
CAUSES: Final = ("person", "cli", "retention")


class Incomplete(Exception):
    """Something is still there after everything was removed; the message names the tables."""


@dataclass
class Work:
    """An erasure somebody goes on with; ``epoch`` fences whoever had it before."""

    id: str
    customer_id: str
    epoch: int
    step: str
    plan: dict[str, Any]
    report: dict[str, Any]

    def count(self, name: str, number: int) -> None:
        """Add to the report."""
        if number:
            self.report[name] = int(self.report.get(name, 0)) + number


class Erasures:
    """Asking for erasures, and reading how far they are."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def ask(self, tx: Tx, customer_id: str, cause: str, by: str, *, queue: bool = True) -> str:
        """Begin to erase a customer; the same one again answers with the same id. Raises NotFound.

        ``queue`` False: the caller does the work itself.
        """
        row = await tx.row("customers.lock", tenant=self._tenant, id=customer_id)
        if row is None:
            raise NotFound("there is no such customer, or the data was erased; reload the list")
        if row["merged_into"] is not None:
            raise NotFound("this customer was merged into another one; erase that one, or undo the merge first")
        erasure_id = new_id()
        key = {"tenant": self._tenant, "customer": customer_id}
        made = await tx.row("erasing.add", **key, id=erasure_id, step=STEPS[0], cause=cause, by=by, now=tx.now_s)
        if made is None:
            known = await tx.row("erasing.open_of", **key)
            return str(known["id"]) if known else ""
        await tx.run("customers.mark_erased", tenant=self._tenant, id=customer_id, now=tx.now_s)
        if queue:
            await lanes.put(tx, self._tenant, "job", JOB, {"erasure": erasure_id})
        tell(tx, self._tenant, customer_id, "erasing", erasure=erasure_id)
        return erasure_id

    async def read(self, erasure_id: str) -> Row:
        """One erasure; raises NotFound."""
        row = await self._store.row("erasing.read", tenant=self._tenant, id=erasure_id)
        if row is None:
            raise NotFound("there is no such erasure; reload the list")
        return row

    async def page(self, position: tuple[float, str], count: int) -> list[Row]:
        """Erasures before a position, the newest first."""
        at, row_id = position
        return list(await self._store.rows("erasing.page", tenant=self._tenant, at=at, id=row_id, count=count))


class Eraser:
    """Does the work; any process with the store and the data folder may go on with what another one began."""

    def __init__(self, store: Store, settings: Settings, files: Files) -> None:
        self._store = store
        self._settings = settings
        self._tenant = settings.tenant
        self._files = files
        self._documents = Documents(store, settings)
        self._steps: Mapping[str, Callable[[Work], Awaitable[None]]] = {
            "gather": self._gather,
            "files": self._bytes,
            "training": self._training,
            "talks": self._talks,
            "person": self._person,
            "traces": self._traces,
            "check": self._check,
        }

    async def run(self, body: Mapping[str, Any]) -> None:
        """The job: one erasure, or whatever was left behind."""
        asked = [str(body["erasure"])] if body.get("erasure") else []
        for erasure_id in asked or [row["id"] for row in await self._store.rows("erasing.open", tenant=self._tenant)]:
            await self.erase(erasure_id)

    async def erase(self, erasure_id: str) -> dict[str, Any]:
        """Go on with an erasure to its end; returns the report. Raises Fenced when somebody else took it."""
        row = await self._store.write(
            lambda tx: tx.row("erasing.take", tenant=self._tenant, id=erasure_id, now=tx.now_s)
        )
        if row is None:
            return {}
        work = Work(
            erasure_id, str(row["customer_id"]), row["epoch"], row["step"], json.loads(row["plan"]),
            json.loads(row["report"]),
        )  # fmt: skip
        for step in STEPS[STEPS.index(work.step) :]:
            await self._steps[step](work)
            following = STEPS[STEPS.index(step) + 1] if step != STEPS[-1] else step
            await self._keep(work, following)
        await self._end(work)
        log.info("customer_erased", erasure=erasure_id, customer=work.customer_id, rows=work.report.get("rows", 0))
        return work.report

    async def _keep(self, work: Work, step: str) -> None:
        """Note how far it is; raises Fenced."""
        work.step = step
        values = {"plan": dump(work.plan), "report": dump(work.report), "step": step}
        await self._fenced("erasing.step", work, **values)

    async def _end(self, work: Work) -> None:
        await self._fenced("erasing.end", work, state="done", plan="{}", report=dump(work.report), error=None)
        talks = list(work.plan["talks"])
        await self._store.write(lambda tx: _told(tx, self._tenant, work, talks))

    async def _fenced(self, query: str, work: Work, **values: Any) -> None:
        async def unit(tx: Tx) -> None:
            if not await tx.run(query, tenant=self._tenant, id=work.id, epoch=work.epoch, now=tx.now_s, **values):
                raise Fenced(f"erasure {work.id} is in other hands since epoch {work.epoch}; drop the work")

        await self._store.write(unit)

    async def _gather(self, work: Work) -> None:
        """Write down what to look for before any of it goes."""

        async def unit(tx: Tx) -> dict[str, Any]:
            await tx.run("customers.mark_erased", tenant=self._tenant, id=work.customer_id, now=tx.now_s)
            people = await tx.rows("customers.same_person", tenant=self._tenant, id=work.customer_id)
            key = {"tenant": self._tenant, "customer": work.customer_id}
            talks = [str(row["id"]) for row in await tx.rows("erasing.conversations", **key)]
            identities = await tx.rows("customers.identities", tenant=self._tenant, id=work.customer_id)
            names, contacts, files = [str(row["name"]) for row in people], [], []
            for talk in talks:
                tx.notify("control", json.dumps({"conversation": talk, "do": "owner"}))  # an answer being written ends
                found = await tx.rows("erasing.contacts", tenant=self._tenant, id=talk)
                names += [str(row["name"]) for row in found]
                contacts += [str(row["contact"]) for row in found]
                files += [str(row["id"]) for row in await tx.rows("erasing.files", tenant=self._tenant, id=talk)]
            for person in people:
                contacts += [str(value) for value in json.loads(person["attributes"]).values() if "@" in str(value)]
            terms = traces.terms_of(names, identities, contacts)
            return {"people": [str(row["id"]) for row in people], "talks": talks, "files": files, "terms": terms}

        work.plan = await self._store.write(unit, order="~") | {"examples": []}
        work.report["conversations"] = len(work.plan["talks"])

    async def _bytes(self, work: Work) -> None:
        for file_id in work.plan["files"]:
            with suppress(FileNotFoundError, Missing):
                self._files.place(file_id).unlink()
                work.count("files", 1)

    async def _training(self, work: Work) -> None:
        """Examples go and adapters are flagged in one unit; folders follow, again if it is interrupted."""
        for person in work.plan["people"]:
            erased = await self._store.write(
                lambda tx, person=person: examples.erase(tx, self._tenant, person)  # type: ignore[misc]
            )
            work.plan["examples"] += erased.examples
            work.count("examples", len(erased.examples))
            work.report.setdefault("adapters", []).extend(erased.adapters)
            await self._keep(work, "training")
        places = {Path(row["folder"]) for row in await self._store.rows("erasing.folders", tenant=self._tenant)}
        own = self._settings.training.folder or self._settings.data_dir / "training"
        found = await traces.clear_runs(
            places | {own}, work.plan["people"], set(work.plan["examples"]), work.plan["terms"]
        )
        for name, number in found.items():
            work.count(name, number)

    async def _talks(self, work: Work) -> None:
        for talk in work.plan["talks"]:
            await self._blind(work, talk)
            for table in CONVERSATION[:-2]:  # big tables outside the lock, each in a unit of its own
                rows = await self._store.write(self._drop(table, talk), order=talk)
                work.count("rows", rows)
            work.count("rows", await self._store.write(self._last(talk), order=talk))

    def _drop(self, table: str, row_id: str) -> Callable[[Tx], Awaitable[int]]:
        async def unit(tx: Tx) -> int:
            return await tx.run(f"erasure.drop_{table}", tenant=self._tenant, id=row_id)

        return unit

    def _last(self, talk: str) -> Callable[[Tx], Awaitable[int]]:
        """What was said since, the conversation and its address, while nobody else can write to it.

        With the address gone, whoever writes from it a moment later is somebody new and keeps what they write.
        """

        async def unit(tx: Tx) -> int:
            key = {"tenant": self._tenant}
            row = await tx.row("erasing.conversation", **key, id=talk)
            gone = sum([await tx.run(f"erasure.drop_{table}", **key, id=talk) for table in CONVERSATION])
            return gone + (await tx.run("erasing.drop_identity", **key, id=str(row["identity_id"])) if row else 0)

        return unit

    async def _blind(self, work: Work, talk: str) -> None:
        """Ids of platforms stay known, but say nothing any more."""
        while True:
            rows = await self._store.rows("erasing.deliveries", tenant=self._tenant, id=talk, count=BATCH)

            async def unit(tx: Tx, rows: Any = rows) -> None:
                for row in rows:
                    key = {"tenant": self._tenant, **row}
                    if not await tx.run("erasing.blind", **key, blind=blind(str(row["external_id"]))):
                        await tx.run("erasing.unseen", **key)

            await self._store.write(unit, order=talk)
            work.count("deliveries", len(rows))
            if len(rows) < BATCH:
                return

    async def _person(self, work: Work) -> None:
        late = await self._store.rows("erasing.conversations", tenant=self._tenant, customer=work.customer_id)
        fresh = [str(row["id"]) for row in late if row["id"] not in work.plan["talks"]]
        if fresh:  # the customer wrote on another address meanwhile
            work.plan["talks"] = fresh
            await self._talks(work)
        for person in [*work.plan["people"][::-1]]:
            for table in CUSTOMER:
                work.count("rows", await self._store.write(self._drop(table, person), order="~"))

    async def _traces(self, work: Work) -> None:
        terms = work.plan["terms"]
        data, mail = self._settings.data_dir, self._settings.mail.folder or self._settings.data_dir / "mail"
        found = await traces.clear_documents(self._store, self._documents, self._tenant, terms)
        found["texts"] = await traces.clear_texts(self._store, self._tenant, terms)
        found["letters"] = await traces.clear_letters(mail, terms)
        for name, number in found.items():
            work.count(name, number)
        work.report["look_at"] = await traces.still_named([data / "knowledge"], terms)

    async def _check(self, work: Work) -> None:
        """Ask every table once more; raises Incomplete."""
        left = []
        asked = [(table, talk) for talk in work.plan["talks"] for table in (*CONVERSATION, "deliveries")]
        asked += [(table, person) for person in work.plan["people"] for table in CUSTOMER]
        for table, row_id in asked:
            query = "erasing.left_deliveries" if table == "deliveries" else f"erasure.left_{table}"
            row = await self._store.row(query, tenant=self._tenant, id=row_id)
            if row is not None and row["n"]:
                left.append(table)
        if left:
            names = ", ".join(sorted(set(left)))
            await self._keep(work, "training")  # the next try begins there
            await self._fenced(
                "erasing.end", work, state="failed", plan=dump(work.plan), report=dump(work.report),
                error=f"still there: {names}; erase the customer again",
            )  # fmt: skip
            raise Incomplete(f"still there: {names}")


async def _told(tx: Tx, tenant: str, work: Work, talks: list[str]) -> None:
    tell(tx, tenant, work.customer_id, "erased", erasure=work.id, conversations=talks)
