"""Between bot and people: asking for a person, claiming, speaking as staff, giving back, closing, stopping.

A claim raises ``owner_epoch`` and ends every open draft in the same commit; from then on no bot answer that began
before it can be stored. The worker is told at once, so a running generation stops within milliseconds.
"""

from __future__ import annotations

import json
from typing import Any

from server.conversation import Claimed, Closed, PersonAsked, Reason, Refused, Returned, State, Status, Transferred
from server.outbox import rows
from server.store.contract import Store, Tx
from server.timeline import Timeline, lock, position

Answer = dict[str, Any]


class Handoff:
    """The transitions of a conversation that people cause; every one is a single commit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ask(self, conversation_id: str, reason: Reason) -> Answer:
        """Let the conversation wait for a person; asking again keeps the place. Raises NotFound."""

        async def unit(tx: Tx) -> Answer:
            timeline = await lock(tx, conversation_id)
            return await wait_for_person(tx, timeline, reason)

        return await self._store.write(unit, order=conversation_id)

    async def claim(self, conversation_id: str, person_id: str) -> Answer:
        """Take the conversation from the bot; answers with the epoch and the sends in flight. Raises Refused."""

        async def unit(tx: Tx) -> Answer:
            timeline = await lock(tx, conversation_id)
            await timeline.change(Claimed(person_id))
            withdrawn = await timeline.end_drafts("withdrawn")
            _tell_worker(tx, conversation_id, "owner")
            await timeline.save()
            # whatever was marked sending before this commit may still arrive; nothing is marked after it
            sends = await rows.in_flight(tx, conversation_id)
            return {**shown(timeline.state), "drafts_withdrawn": withdrawn, "in_flight": sends}

        return await self._store.write(unit, order=conversation_id)

    async def give_back(self, conversation_id: str, person_id: str) -> Answer:
        """Return the conversation to the bot. Raises Refused, NotFound."""

        async def unit(tx: Tx) -> Answer:
            timeline = await lock(tx, conversation_id)
            await timeline.change(Returned(person_id))
            await timeline.save()
            return shown(timeline.state)

        return await self._store.write(unit, order=conversation_id)

    async def close(self, conversation_id: str, person_id: str) -> Answer:
        """End the case; the next customer message opens another. Raises Refused, NotFound."""

        async def unit(tx: Tx) -> Answer:
            timeline = await lock(tx, conversation_id)
            await timeline.change(Closed(person_id))
            await timeline.end_drafts("withdrawn")
            await timeline.close_case(person_id)
            _tell_worker(tx, conversation_id, "owner")
            await timeline.save()
            return shown(timeline.state)

        return await self._store.write(unit, order=conversation_id)

    async def say(self, conversation_id: str, person_id: str, text: str) -> Answer:
        """Send a staff message; only the claimer may speak. Raises Refused, NotFound."""

        async def unit(tx: Tx) -> Answer:
            timeline = await lock(tx, conversation_id)
            if timeline.state.status is not Status.CLAIMED or timeline.state.owner != person_id:
                raise Refused("claim the conversation first; only its claimer may answer")
            message_id = await timeline.say("staff", text, author=person_id)
            seq = timeline.seq
            await timeline.save()
            return {"message_id": message_id, "seq": seq}

        return await self._store.write(unit, order=conversation_id)

    async def stop(self, conversation_id: str) -> bool:
        """Stop the answer being written to what was said so far; False when nothing was open. Raises NotFound."""

        async def unit(tx: Tx) -> bool:
            timeline = await lock(tx, conversation_id)
            lane = await tx.row("conversations.in_tail", tenant=timeline.tenant, conversation_id=conversation_id)
            if lane is None or lane["done"] >= lane["tail"]:
                return False
            timeline.stop_seq = lane["tail"]
            _tell_worker(tx, conversation_id, "stop")
            await timeline.save()
            return True

        return await self._store.write(unit, order=conversation_id)


async def transfer(tx: Tx, timeline: Timeline, wish: Transferred) -> Answer:
    """Give a locked conversation to a colleague or the queue; answers like a claim. Raises Refused.

    What somebody had begun to send in their seconds for undoing is not sent: the conversation changed hands.
    """
    before = timeline.state.owner
    if timeline.case_id is None:
        await timeline.open_case()
    await timeline.change(wish)
    await timeline.end_drafts("withdrawn")
    timeline.emit(
        "transfer",
        {"from": before, "to": wish.to, "by": wish.by, "reason": timeline.state.reason},
        audience="staff",
    )
    _tell_worker(tx, timeline.id, "owner")
    await timeline.save()
    return {**shown(timeline.state), "in_flight": await rows.in_flight(tx, timeline.id)}


async def wait_for_person(tx: Tx, timeline: Timeline, reason: Reason) -> Answer:
    """Apply the wish for a person to a locked conversation and save it; answers with status and place in the queue."""
    if timeline.banned_at is not None:
        return shown(timeline.state)
    if timeline.case_id is None:  # asked before the first message, or after the case was closed
        await timeline.open_case()
    await timeline.change(PersonAsked(reason, tx.now_s))
    await timeline.save()
    answer = shown(timeline.state)
    if timeline.state.status is Status.WAITING and timeline.state.waiting_since is not None:
        answer["position"] = await position(tx, timeline.tenant, timeline.state.waiting_since)
    return answer


def shown(state: State) -> Answer:
    """A state as the API shows it."""
    return {
        "status": state.status.value,
        "reason": state.reason,
        "owner": state.owner,
        "owner_epoch": state.owner_epoch,
        "position": None,
    }


def _tell_worker(tx: Tx, conversation_id: str, order: str) -> None:
    tx.notify("control", json.dumps({"conversation": conversation_id, "do": order}))
