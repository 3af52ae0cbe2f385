"""What staff approve happens once, and the customer hears of it once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from server.handoff import Handoff
from server.routes import Principal, Role
from server.store.contract import Store
from server.tools import journal, requests
from server.tools.approvals import JOB, MAX_TRIES, Approvals
from server.tools.contract import Caller, Result, ToolError, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.journal import Proposal
from server.tools.requests import Request
from tests.places import Place
from tests.server.tools.bench import TURN, caller

ADA = Principal("default", "person", "p1", Role.STAFF)
REFUND = {"order": "1042", "amount": 80}


class Endpoint:
    """A tool box whose only tool honours keys and ends as its script says."""

    def __init__(self, *script: Result | ToolError) -> None:
        self.script = list(script)
        self.effects: dict[str, Mapping[str, Any]] = {}
        self.calls: list[tuple[str, bool]] = []

    async def run(
        self, _name: str, arguments: Mapping[str, Any], _caller: Caller, key: str, *, repeat: bool = False
    ) -> Result:
        self.calls.append((key, repeat))
        self.effects.setdefault(key, arguments)
        end = self.script.pop(0) if self.script else Result({"refund": 1})
        if isinstance(end, ToolError):
            raise end
        return end


async def caller_of(conversation_id: str) -> Caller:
    return caller(conversation_id=conversation_id)


def approvals(store: Store, box: Endpoint) -> Approvals:
    return Approvals(store, "default", box, caller_of)


async def asked(store: Store) -> Request:
    async def unit(tx: Any) -> Request:
        await journal.propose(tx, TURN, 0, [Proposal("refund", REFUND)])
        await journal.wait(tx, TURN, 1, "approve")
        return await requests.ask(
            tx, TURN, 1, "refund", REFUND, kind="approve", summary="Refund 80?", ttl_s=requests.APPROVE_S
        )

    return await store.write(unit)


async def jobs(store: Store) -> list[tuple[str, dict[str, Any]]]:
    return [(row["key"], json.loads(row["body"])) for row in await store.rows("toolbench.jobs")]


async def said(store: Store) -> list[tuple[str, str]]:
    return [(row["role"], row["text"]) for row in await store.rows("toolbench.said", id="c1")]


async def step_state(store: Store) -> str:
    return (await journal.read(store, "c1", 1))[0].state


async def test_a_granted_request_runs_once_and_tells_once(store: Store) -> None:
    request, box = await asked(store), Endpoint(Result({"refund": 1}, say="80 EUR are on their way."))
    desk = approvals(store, box)
    await desk.decide(ADA, request.id, True)
    assert await jobs(store) == [(JOB, {"request": request.id})]
    assert await said(store) == []
    await desk.run({"request": request.id})
    await desk.run({"request": request.id})
    assert box.effects == {"c1:1:1": REFUND}
    assert box.calls == [("c1:1:1", False)]
    assert await said(store) == [("assistant", "80 EUR are on their way.")]
    assert await step_state(store) == "done"
    (ended,) = await requests.listed(store, "default", "done")
    assert (ended.decided_by, ended.result) == (
        "p1",
        journal.outcome(Result({"refund": 1}, "80 EUR are on their way.")),
    )


async def test_a_refused_request_is_told_and_never_runs(store: Store) -> None:
    request, box = await asked(store), Endpoint()
    desk = approvals(store, box)
    await desk.decide(ADA, request.id, False)
    await desk.run({"request": request.id})
    assert (box.calls, await jobs(store)) == ([], [])
    ((role, text),) = await said(store)
    assert (role, "could not be approved" in text) == ("assistant", True)
    assert await step_state(store) == "failed"
    with pytest.raises(ToolRefused, match="decided before"):
        await desk.decide(ADA, request.id, True)


async def test_an_unknown_request_is_said_to_be_unknown(store: Store) -> None:
    desk = approvals(store, Endpoint())
    with pytest.raises(LookupError):
        await desk.decide(ADA, "nothing", True)
    await desk.run({"request": "nothing"})


async def test_no_answer_is_tried_again_with_the_same_key(store: Store) -> None:
    request, box = await asked(store), Endpoint(ToolTimeout("late"), ToolUnavailable("down"))
    desk = approvals(store, box)
    await desk.decide(ADA, request.id, True)
    for _ in range(2):
        with pytest.raises(ToolError):
            await desk.run({"request": request.id})
    assert await said(store) == []
    await desk.run({"request": request.id})
    assert box.calls == [("c1:1:1", False), ("c1:1:1", True), ("c1:1:1", True)]
    assert len(box.effects) == 1
    assert [text for _, text in await said(store)] == ["Your request was approved and has been carried out."]


async def test_a_call_that_never_works_goes_to_a_person(store: Store) -> None:
    request, box = await asked(store), Endpoint(*[ToolUnavailable("down")] * MAX_TRIES)
    desk = approvals(store, box)
    await desk.decide(ADA, request.id, True)
    for _ in range(MAX_TRIES - 1):
        with pytest.raises(ToolUnavailable):
            await desk.run({"request": request.id})
    await desk.run({"request": request.id})
    row = await store.row("toolbench.status", id="c1")
    assert row is not None
    assert (row["status"], row["reason"]) == ("waiting", "tool")
    ((_, text),) = await said(store)
    assert "did not work" in text
    assert [one.id for one in await requests.listed(store, "default", "failed")] == [request.id]


async def test_while_staff_have_the_conversation_the_outcome_is_a_notice(store: Store) -> None:
    request, box = await asked(store), Endpoint(ToolRefused("too late"))
    desk = approvals(store, box)
    await desk.decide(ADA, request.id, True)
    await Handoff(store).claim("c1", "p1")
    await desk.run({"request": request.id})
    assert [role for role, _ in await said(store)] == ["notice"]


async def test_what_nobody_decides_expires_and_is_told(store: Store, place: Place) -> None:
    request = await asked(store)
    desk = approvals(store, Endpoint())
    assert await desk.expire() == 0
    place.clock.pass_s(requests.APPROVE_S + 1)
    assert await desk.expire() == 1
    ((_, text),) = await said(store)
    assert "in time" in text
    assert await step_state(store) == "failed"
    with pytest.raises(ToolRefused, match="decided before"):
        await desk.decide(ADA, request.id, True)


async def test_a_decision_that_comes_late_is_none(store: Store, place: Place) -> None:
    request, box = await asked(store), Endpoint()
    place.clock.pass_s(requests.APPROVE_S + 1)
    with pytest.raises(ToolRefused, match="expired"):
        await approvals(store, box).decide(ADA, request.id, True)
    assert (await jobs(store), len(await said(store))) == ([], 1)
