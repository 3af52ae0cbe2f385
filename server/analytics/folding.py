"""The job that turns events into facts: by event number, each event once, and again from zero with an equal result.

A batch of events, the facts it changed and the cursor behind it are one commit. The cursor's row is locked, so whoever
else folds waits and then goes on behind it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

import structlog

from server.analytics.facts import CaseFacts, Happened, Span, Thread
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

JOB: Final = "fold-events"
BATCH_EVENTS: Final = 250
FORGET_ROWS: Final = 500
SIMULATED: Final = "~"  # accounts of the simulator begin so: nobody stands behind them
OF_CASES: Final = {"survey": CaseFacts.surveyed, "sla": CaseFacts.promised}
COLUMNS: Final = tuple(each.name for each in fields(CaseFacts))


class Folding:
    """Keeps the facts of one bot behind its events."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def run(self, body: Mapping[str, Any]) -> None:
        """The job: everything there is to fold; ``{"rebuild": true}`` forgets what events can tell anew first."""
        if body.get("rebuild"):
            await self._forget()
        while await self.step():
            pass

    async def step(self) -> int:
        """One batch; returns how many events it had."""
        return await self._store.write(self._fold, order="~")

    async def _forget(self) -> None:
        """Delete facts whose events are still kept, and fold from the first event on; older facts stay."""
        tenant = self._tenant
        for name in ("analytics.forget", "analytics.forget_threads"):
            deleted = FORGET_ROWS
            while deleted:
                deleted = await self._store.write(
                    lambda tx, name=name: tx.run(name, tenant=tenant, limit=FORGET_ROWS)  # type: ignore[misc]
                )
        await self._store.write(lambda tx: tx.run("analytics.move", tenant=tenant, number=0))
        log.info("facts_forgotten")

    async def _fold(self, tx: Tx) -> int:
        await tx.run("analytics.begin", tenant=self._tenant)
        at = await tx.row("analytics.cursor", tenant=self._tenant)
        events = await tx.rows(
            "analytics.events", tenant=self._tenant, after=at["number"] if at else 0, count=BATCH_EVENTS
        )
        if not events:
            return 0
        batch = _Batch(tx, self._tenant)
        for row in events:
            try:
                event = Happened(row["number"], row["kind"], row["created_at"], json.loads(row["body"]))
                await batch.take(row["conversation_id"], event)
            except (KeyError, TypeError, ValueError) as error:  # one odd event must not stop all later ones
                log.warning("event_not_folded", number=row["number"], kind=row["kind"], error=repr(error)[:200])
        await batch.keep()
        await tx.run("analytics.move", tenant=self._tenant, number=events[-1]["number"])
        return len(events)


class _Batch:
    """The conversations and cases that a batch of events touches, read once and written once."""

    def __init__(self, tx: Tx, tenant: str) -> None:
        self._tx = tx
        self._tenant = tenant
        self._threads: dict[str, Thread | None] = {}
        self._cases: dict[str, CaseFacts] = {}
        self._values: dict[str, str | None] = {}

    async def take(self, conversation_id: str | None, event: Happened) -> None:
        """Fold one event; what belongs to a conversation that was erased since counts no more."""
        thread = await self._thread(conversation_id) if conversation_id else None
        if thread is None:
            return
        if event.kind == "feedback":
            await self._rated(thread, event)
        elif event.kind in OF_CASES:
            await self._told(thread, event)
        else:
            thread.fold(event)
            self._cases |= thread.changed

    async def _rated(self, thread: Thread, event: Happened) -> None:
        message_id, value = str(event.body["message_id"]), event.body.get("value")
        case_id = thread.answers.get(message_id)
        if message_id not in self._values:
            row = None if case_id else await self._tx.row("analytics.answer", message_id=message_id)
            case_id, self._values[message_id] = (row["case_id"], row["value"]) if row else (case_id, None)
            if case_id:
                thread.answers[message_id] = case_id
        case = await self._case(case_id) if case_id else None
        if case is None:
            return
        case.rated(self._values[message_id], value)
        case.number = event.number
        self._values[message_id] = value

    async def _told(self, thread: Thread, event: Happened) -> None:
        """What names its case itself: it may come when that is closed."""
        case = await self._case(event.body["case_id"])
        if case is not None and case.conversation_id == thread.conversation_id:
            OF_CASES[event.kind](case, event.body)
            case.number = event.number

    async def _case(self, case_id: str | None) -> CaseFacts | None:
        """A case's facts; the same object everywhere in the batch."""
        if case_id is None:
            return None
        if case_id not in self._cases:
            row = await self._tx.row("analytics.case", case_id=case_id)
            if row is None:
                return None
            self._cases[case_id] = CaseFacts(**{name: row[name] for name in COLUMNS})
        return self._cases[case_id]

    async def _thread(self, conversation_id: str) -> Thread | None:
        if conversation_id not in self._threads:
            row = await self._tx.row("analytics.thread", conversation_id=conversation_id)
            counts = row is not None and not row["account"].startswith(SIMULATED)
            self._threads[conversation_id] = await self._known(row) if row and counts else None
        return self._threads[conversation_id]

    async def _known(self, row: Row) -> Thread:
        language = row["language"] or row["locale"] or "en"
        thread = Thread(row["conversation_id"], self._tenant, row["channel"], row["account"], language)
        if row["status"] is None:
            return thread
        thread.status = row["status"]
        thread.case = await self._case(row["case_id"])
        thread.last = await self._case(row["last_case_id"])
        if thread.case is not None and row["span_from"] is not None:
            found = await self._tx.row("analytics.span", case_id=thread.case.case_id, from_number=row["span_from"])
            thread.span = (
                Span(thread.case.case_id, row["span_from"], found["kind"], found["from_at"]) if found else None
            )
        return thread

    async def keep(self) -> None:
        """Write everything back: cases before what hangs on them."""
        for case in self._cases.values():
            await self._tx.run("analytics.keep_case", **asdict(case))
        for thread in filter(None, self._threads.values()):
            for span in thread.spans:
                await self._tx.run(
                    "analytics.keep_span", tenant=self._tenant, case_id=span.case_id, from_number=span.from_number,
                    kind=span.kind, from_at=span.from_at, to_at=span.to_at,
                )  # fmt: skip
            for message_id, case_id in thread.answers.items():
                await self._tx.run(
                    "analytics.keep_answer", message_id=message_id, case_id=case_id,
                    value=self._values.get(message_id), rated=int(message_id in self._values),
                )  # fmt: skip
            await self._tx.run(
                "analytics.keep_thread", conversation_id=thread.conversation_id, tenant=self._tenant,
                channel=thread.channel, account=thread.account, language=thread.language, status=thread.status,
                case_id=thread.case.case_id if thread.case else None,
                last_case_id=thread.last.case_id if thread.last else None,
                span_from=thread.span.from_number if thread.span else None,
            )  # fmt: skip
