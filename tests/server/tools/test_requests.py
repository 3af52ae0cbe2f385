"""A yes counts for one call, in one conversation, once, and not for long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from server.store.contract import Store, Tx
from server.tools import journal, requests
from server.tools.contract import Result
from server.tools.journal import Turn
from server.tools.requests import Request
from tests.places import Place
from tests.server.tools.bench import TURN, write

BOOK = {"slot": 3, "day": "mon"}
LATER = Turn("default", "c1", 2)


async def asked(
    store: Store, turn: Turn = TURN, number: int = 1, arguments: Mapping[str, Any] = BOOK, kind: Any = "confirm"
) -> Request:
    return await store.write(
        lambda tx: requests.ask(tx, turn, number, "book", arguments, kind=kind, summary="Book Monday?", ttl_s=300.0)
    )


async def decided(store: Store, request_id: str, conversation_id: str = "c1", **more: Any) -> Request | None:
    values = {"granted": True} | more
    return await store.write(lambda tx: requests.decide(tx, request_id, conversation_id=conversation_id, **values))


async def pending(store: Store, place: Place, conversation_id: str = "c1") -> Request | None:
    return await requests.pending(store, conversation_id, place.clock.wall_s())


async def test_a_yes_is_for_what_was_asked(store: Store, place: Place) -> None:
    request = await asked(store)
    waiting = await pending(store, place)
    assert waiting == request
    assert (request.key, request.summary, request.state) == ("c1:1:1", "Book Monday?", "waiting")
    granted = await decided(store, request.id, call=("book", {"day": "mon", "slot": 3}))
    assert granted is not None
    assert (granted.state, granted.decided_by, granted.arguments) == ("granted", "customer", BOOK)
    assert await pending(store, place) is None
    assert await decided(store, request.id) is None, "only the first answer counts"


async def test_a_no_is_an_answer_too(store: Store) -> None:
    request = await asked(store)
    refused = await decided(store, request.id, granted=False)
    assert refused is not None
    assert refused.state == "refused"
    assert await decided(store, request.id) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"conversation_id": "c2"},
        {"call": ("book", {"slot": 4, "day": "mon"})},
        {"call": ("cancel", BOOK)},
        {"kind": "approve"},
    ],
)
async def test_a_yes_elsewhere_or_for_something_else_is_none(store: Store, place: Place, wrong: dict[str, Any]) -> None:
    request = await asked(store)
    assert await decided(store, request.id, **wrong) is None
    assert await pending(store, place) == request
    assert await pending(store, place, "c2") is None
    assert await decided(store, "nothing") is None


async def test_arguments_changed_in_the_store_are_not_confirmed(store: Store) -> None:
    request = await asked(store)
    await write(store, "toolbench.tamper", id=request.id, arguments='{"day":"mon","slot":4}')
    assert await decided(store, request.id) is None


async def test_a_yes_that_comes_late_is_none(store: Store, place: Place) -> None:
    request = await asked(store)
    place.clock.pass_s(301.0)
    assert await pending(store, place) is None
    late = await decided(store, request.id)
    assert late is not None
    assert late.state == "expired"
    assert await decided(store, request.id) is None


async def test_a_newer_question_takes_the_place_of_older_ones(store: Store, place: Place) -> None:
    first = await asked(store)
    assert (await asked(store)).id == first.id, "a retaken turn asks the same question"
    staff = await asked(store, kind="approve", number=2)
    second = await asked(store, LATER)
    assert await pending(store, place) == second
    assert await decided(store, first.id) is None
    assert (await decided(store, staff.id, kind="approve", by="p1")) is not None


async def test_requests_nobody_answers_end(store: Store, place: Place) -> None:
    request = await asked(store, kind="approve")
    assert [one.id for one in await requests.listed(store, "default")] == [request.id]
    place.clock.pass_s(301.0)
    rows = await store.write(lambda tx: requests.expire(tx, "default"))
    assert [(row["id"], row["kind"], row["conversation_id"]) for row in rows] == [(request.id, "approve", "c1")]
    assert await requests.listed(store, "default") == []
    assert [one.state for one in await requests.listed(store, "default", None)] == ["expired"]


async def test_what_came_of_a_request_is_stored_once(store: Store) -> None:
    request = await asked(store)
    await decided(store, request.id)
    result = journal.outcome(Result({"slot": 3}))

    async def unit(tx: Tx) -> tuple[bool, bool]:
        return (
            await requests.end(tx, request.id, result, failed=False),
            await requests.end(tx, request.id, result, failed=True),
        )

    assert await store.write(unit) == (True, False)
    (ended,) = [requests.of(row) for row in await store.rows("tools.request", id=request.id, tenant="default")]
    assert (ended.state, ended.result) == ("done", result)
