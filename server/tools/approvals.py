"""Calls that staff must approve: deciding them, running what was granted exactly once, and telling the customer.

The decision puts a job (lane ``tool-request``) in the same commit. A worker that dies in the middle leaves the request
granted; the job runs again with the same idempotency key, and result and message are one commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import structlog

from server import lanes
from server.conversation import Reason, Status
from server.handoff import wait_for_person
from server.routes import Principal
from server.store.contract import Store, Tx
from server.store.text import dump
from server.timeline import Timeline, lock
from server.tools import journal, requests
from server.tools.contract import Caller, Result, ToolError, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.journal import Turn
from server.tools.requests import Request

log = structlog.get_logger()

JOB = "tool-request"
MAX_TRIES = 4  # of a call nobody answers; the job's lane would park it at five

_WORDS = {
    "en": {
        "done": "Your request was approved and has been carried out.",
        "refused": "Your request was looked at and could not be approved. You can always ask for a person here.",
        "expired": "Nobody could look at your request in time, so nothing was done. Please ask again if you need it.",
        "failed": "Your request was approved, but carrying it out did not work. A person has been asked to help.",
    },
    "de": {
        "done": "Ihre Anfrage wurde genehmigt und ausgeführt.",
        "refused": "Ihre Anfrage wurde geprüft und nicht genehmigt. Sie können hier nach einem Menschen fragen.",
        "expired": "Ihre Anfrage wurde nicht rechtzeitig geprüft, es ist nichts geschehen. Bitte fragen Sie erneut.",
        "failed": "Ihre Anfrage wurde genehmigt, ließ sich aber nicht ausführen. Ein Mensch wurde um Hilfe gebeten.",
    },
    "es": {
        "done": "Su solicitud ha sido aprobada y se ha realizado.",
        "refused": "Su solicitud ha sido revisada y no se ha aprobado. Aquí puede pedir hablar con una persona.",
        "expired": "Nadie pudo revisar su solicitud a tiempo y no se hizo nada. Vuelva a pedirlo si lo necesita.",
        "failed": "Su solicitud ha sido aprobada, pero no se ha podido realizar. Se ha pedido ayuda a una persona.",
    },
    "ar": {
        "done": "تمت الموافقة على طلبك وتنفيذه.",
        "refused": "تمت مراجعة طلبك ولم تتم الموافقة عليه. يمكنك دائماً طلب التحدث إلى شخص هنا.",
        "expired": "لم يتمكن أحد من مراجعة طلبك في الوقت المحدد، لذلك لم يتم تنفيذ شيء. يرجى إعادة الطلب عند الحاجة.",
        "failed": "تمت الموافقة على طلبك، لكن تعذر تنفيذه. طُلب من شخص أن يتولى الأمر.",
    },
}


class Box(Protocol):
    """What running an approved call needs of the tool box."""

    async def run(
        self, name: str, arguments: Mapping[str, Any], caller: Caller, key: str, *, repeat: bool = False
    ) -> Result:
        """One call within its limits; raises ToolError."""
        ...


class Approvals:
    """Decides, runs and ends requests of one tenant; ``caller_of`` makes the caller of a conversation as it is now."""

    def __init__(self, store: Store, tenant: str, box: Box, caller_of: Callable[[str], Awaitable[Caller]]) -> None:
        self._store = store
        self._tenant = tenant
        self._box = box
        self._caller_of = caller_of

    async def decide(self, principal: Principal, request_id: str, granted: bool) -> None:  # noqa: FBT001 - the API's yes or no
        """Grant or refuse a request as staff; granting queues the call.

        Raises LookupError for an unknown request, ToolRefused when it was decided before or has expired.
        """
        row = await self._store.row("tools.request", id=request_id, tenant=self._tenant)
        if row is None or row["kind"] != "approve":
            raise LookupError(request_id)
        conversation_id = str(row["conversation_id"])

        async def unit(tx: Tx) -> Request | None:
            timeline = await lock(tx, conversation_id)
            request = await requests.decide(
                tx, request_id, conversation_id=conversation_id, granted=granted, by=principal.owner, kind="approve"
            )
            if request is None:
                return None
            if request.state == "granted":
                await lanes.put(tx, self._tenant, "job", JOB, {"request": request_id})
            else:
                await _close(tx, request, ToolRefused(f"staff: {request.state}"))
                await _tell(tx, timeline, _words(timeline.language, request.state))
            return request

        request = await self._store.write(unit, order=conversation_id)
        if request is None:
            raise ToolRefused("this request was decided before; reload the list")
        log.info("request_decided", request=request_id, tool=request.tool, state=request.state)
        if request.state == "expired":
            raise ToolRefused("this request has expired; the customer was told, and may ask again")

    async def run(self, body: Mapping[str, Any]) -> None:
        """The job: run one granted request; raises ToolError while it is worth trying again later."""
        row = await self._store.row("tools.request", id=str(body["request"]), tenant=self._tenant)
        if row is None or row["state"] != "granted":
            return
        request = requests.of(row)
        tries = 1 + int((request.result or {}).get("tries", 0))
        await self._store.write(lambda tx: tx.run("tools.note_request", id=request.id, result=dump({"tries": tries})))
        end = await self._tried(request, tries)

        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, request.conversation_id)
            failed = isinstance(end, ToolError)
            if not await requests.end(tx, request.id, journal.outcome(end), failed=failed):
                return
            await _close(tx, request, end)
            said = end.say if isinstance(end, Result) else ""
            await _tell(tx, timeline, said or _words(timeline.language, "failed" if failed else "done"), person=failed)

        await self._store.write(unit, order=request.conversation_id)

    async def _tried(self, request: Request, tries: int) -> Result | ToolError:
        caller = await self._caller_of(request.conversation_id)
        try:
            return await self._box.run(request.tool, request.arguments, caller, request.key, repeat=tries > 1)
        except (ToolTimeout, ToolUnavailable) as error:
            if tries < MAX_TRIES:
                raise
            return error
        except ToolError as error:
            return error

    async def expire(self) -> int:
        """End requests nobody decided in time, and tell customers who waited for staff; returns how many ended."""
        rows = await self._store.write(lambda tx: requests.expire(tx, self._tenant))
        for row in rows:
            if row["kind"] == "approve":
                await self._store.write(
                    _expired(str(row["id"]), str(row["conversation_id"])), order=row["conversation_id"]
                )
        return len(rows)


def _expired(request_id: str, conversation_id: str) -> Callable[[Tx], Awaitable[None]]:
    async def unit(tx: Tx) -> None:
        timeline = await lock(tx, conversation_id)
        row = await tx.row("tools.lock_request", id=request_id)
        if row is not None:
            await _close(tx, requests.of(row), ToolRefused("staff: expired"))
            await _tell(tx, timeline, _words(timeline.language, "expired"))

    return unit


async def _close(tx: Tx, request: Request, end: Result | ToolError) -> None:
    """End the step that waited; one that ended before keeps its result."""
    turn = Turn(request.tenant, request.conversation_id, request.first_seq)
    steps = await journal.read(tx, turn.conversation_id, turn.first_seq)
    if any(step.number == request.number and not step.ended for step in steps):
        await journal.finish(tx, turn, request.number, end)


async def _tell(tx: Tx, timeline: Timeline, text: str, *, person: bool = False) -> None:
    held = timeline.state.status in {Status.CLAIMED, Status.CLOSED}
    await timeline.say("notice" if held else "assistant", text)
    if person and not held:
        await wait_for_person(tx, timeline, Reason.TOOL)
    else:
        await timeline.save()


def _words(language: str, occasion: str) -> str:
    return _WORDS.get(language.partition("-")[0].lower(), _WORDS["en"])[occasion]
