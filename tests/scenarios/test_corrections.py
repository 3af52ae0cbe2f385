"""A wrong fact and its way: asked, answered, disliked, corrected, decided, and answered right seconds later."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from server import lanes
from server.auth.tokens import new_key
from server.ids import new_id
from server.knowledge.documents import Documents
from server.store.contract import Tx
from server.store.statements import load, parse
from tests.scenario import Service
from tests.scenarios.test_knowledge import ASKED, LIVE_S, RETURNS, ask, informed, until_told

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <coroutine object connect_tcp:pytest.PytestUnraisableExceptionWarning"
)

QUERIES = """
-- name: examples
-- Candidates.
select * from example order by created_at;
-- name: feedback
-- Ratings and corrections.
select * from feedback order by created_at, id;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("corrected", QUERIES, dialect))


class Ana:
    """Somebody of the staff, by a key of theirs."""

    def __init__(self, service: Service, key: str) -> None:
        self._service = service
        self._headers = {"Authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        url = f"{self._service.base}{path}"
        async with self._service.http.request(method, url, json=body, headers=self._headers) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json() if status != 204 else None


async def staff(service: Service) -> Ana:
    key = new_key()
    row = {"tenant": "default", "name": "ana", "role": "staff", "created_by": None, "now": 1.0}
    await service.store.write(lambda tx: tx.run("access.add_key", id=key.id, key_hash=key.key_hash, **row))
    return Ana(service, key.text)


async def test_a_corrected_fact_answers_the_next_customer_within_seconds(store_url: str, tmp_path: Path) -> None:
    async with informed(store_url, tmp_path) as service:
        documents = Documents(service.store, service.settings)
        document = await documents.save(title="Returns", text=RETURNS, changed_by="ana")
        first = await service.visitor()
        answer = await until_told(first, "within 30 days", 20.0)
        rated = {"message_id": answer["id"], "value": "down", "reason": "outdated"}
        assert (await first.post("feedback", rated)).status == 204
        ana = await staff(service)
        right = answer["text"].replace("30", "45").replace(" [1]", "")
        made = await ana.call("POST", "/api/corrections", {"message_id": answer["id"], "text": right}, 201)
        assert made["suggested"] == "fact"
        assert made["why"][0] == "contradicts"
        suggestion = await ana.call("GET", f"/api/corrections/{made['id']}/suggestion")
        proposal = suggestion["proposal"]
        assert (proposal["kind"], proposal["document_id"]) == ("edit", document.id)
        assert "30 days" in proposal["before"]
        assert "45 days" in proposal["after"]
        assert suggestion["question"] == ASKED
        decided = await ana.call("POST", f"/api/corrections/{made['id']}/decide", {"route": "fact"})
        at = time.monotonic()
        assert decided == {"route": "fact", "document_id": document.id}
        second = await service.visitor()
        told = await until_told(second, "within 45 days", LIVE_S)
        assert time.monotonic() - at < LIVE_S
        assert "30 days" not in told["text"]
        async with asyncio.timeout(LIVE_S):
            while not (await ana.call("GET", f"/api/corrections/{made['id']}/result"))["result"]["live"]:
                await asyncio.sleep(0.05)
        tried = await ana.call("POST", f"/api/corrections/{made['id']}/try")
        assert "45 days" in tried["text"]
        assert tried["rests_on_it"]
        rows = await service.store.rows("corrected.feedback")
        assert {(row["kind"], row["giver_kind"], row["reason"]) for row in rows} == {
            ("rating", "customer", "outdated"), ("correction", "staff", "wrong"),
        }  # fmt: skip
        assert all(row["message_id"] and row["turn_id"] and row["release_id"] and row["giver_id"] for row in rows)
        (example,) = await service.store.rows("corrected.examples")
        assert (example["origin"], example["status"]) == ("correction", "withdrawn"), "figures are not learnt by heart"
        old = await documents.get(document.id)
        assert (old.version, "30 days" in old.text) == (2, False)
        await ana.call("POST", f"/api/corrections/{made['id']}/decide", {"route": "fact"})
        assert (await documents.get(document.id)).version == 2, "deciding again changes nothing"


async def test_behaviour_stays_in_the_review_queue_and_a_new_fact_becomes_an_entry(
    store_url: str, tmp_path: Path
) -> None:
    async with informed(store_url, tmp_path) as service:
        await Documents(service.store, service.settings).save(title="Returns", text=RETURNS, changed_by="ana")
        visitor = await service.visitor()
        answer = await until_told(visitor, "within 30 days", 20.0)
        ana = await staff(service)
        kind = f"Gladly! {answer['text'].replace(' [1]', '')}"
        given = {"message_id": answer["id"], "text": kind, "reason": "tone"}
        made = await ana.call("POST", "/api/corrections", given, 201)
        assert made["suggested"] == "behaviour"
        one = f"/api/corrections/{made['id']}"
        assert (await ana.call("GET", f"{one}/suggestion"))["proposal"] is None
        await ana.call("POST", f"{one}/decide", {"route": "fact"}, 409)
        await ana.call("POST", f"{one}/decide", {"route": "behaviour"})
        assert (await ana.call("GET", f"{one}/result"))["result"] is None
        (example,) = await service.store.rows("corrected.examples")
        assert (example["status"], example["behaviour"]) == ("pending", "style")
        shown = await ana.call("GET", one)
        assert (shown["route"], shown["suggested"], shown["original"]) == ("behaviour", "behaviour", answer["text"])
        gap = await ask(visitor, "Which planets have rings made of ice?")
        entry = {"message_id": gap["id"], "text": "Saturn has 7 rings made of ice."}
        made = await ana.call("POST", "/api/corrections", entry, 201)
        await ana.call("POST", f"/api/corrections/{made['id']}/decide", {"route": "fact"})
        async with asyncio.timeout(LIVE_S + 5.0):
            while "Saturn" not in (await ask(await service.visitor(), "Which planets have rings made of ice?"))["text"]:
                await asyncio.sleep(0.1)


async def test_every_way_of_staff_to_answer_makes_a_candidate_and_an_edited_draft_a_pair(
    store_url: str, tmp_path: Path
) -> None:
    async with informed(store_url, tmp_path) as service:
        ana, visitor = await staff(service), await service.visitor()
        await visitor.say("hello there")
        await visitor.answered()
        place = f"/api/conversations/{visitor.conversation}"
        await ana.call("POST", f"{place}/claim")
        await ana.call("POST", f"{place}/messages", {"text": "By the older way."})
        await visitor.say("and now?")
        sent = {"text": "By the composer.", "undo": False, "suggested": "By the model's own draft."}
        await ana.call("POST", f"{place}/send", sent, 202)
        await visitor.say("once more?")
        await ana.call("POST", f"{place}/send", {"text": "As drafted.", "undo": False, "suggested": "As drafted."}, 202)

        async def collect(tx: Tx) -> None:
            await lanes.put(tx, "default", "job", "collect-examples", {"id": new_id()})

        await service.store.write(collect)
        async with asyncio.timeout(20.0):
            while len(await service.store.rows("corrected.examples")) < 3:
                await asyncio.sleep(0.05)
        rows = await service.store.rows("corrected.examples")
        found = {row["target"]: row["rejected"] for row in rows if row["origin"] == "staff_reply"}
        kinds = {"By the older way": False, "By the composer": True, "As drafted": False}
        assert {
            words: any(words in target and bool(other) for target, other in found.items()) for words in kinds
        } == kinds
