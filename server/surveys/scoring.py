"""Takes customers' answers: a score by button or typed, and then, in the next message, why."""

from __future__ import annotations

from typing import Final

from config.insight import Surveys
from server.conversation import NotFound, Refused, Status
from server.store.contract import Row, Tx
from server.surveys.words import SCORES, typed_score, words
from server.timeline import Timeline

COMMENT_CHARACTERS: Final = 2_000
MINUTE_S: Final = 60.0
HOUR_S: Final = 3_600.0
OPEN: Final = frozenset({Status.CLOSED, Status.BOT})  # nobody of the staff is in the talk
QUESTION: Final = ("?", "\uff1f", "\u061f")  # Latin, Chinese and Arabic


async def score(tx: Tx, timeline: Timeline, survey_id: str, value: int, giver: str) -> bool:
    """Keep the score of a pressed button in a locked conversation; the caller saves it. The last press counts.

    Returns whether it was the first one. Raises NotFound for a survey of another conversation, Refused for a figure
    that is no score.
    """
    row = await tx.row("surveys.one", id=survey_id, conversation_id=timeline.id)
    if row is None:
        raise NotFound("no such survey in this conversation; reload it")
    if value not in SCORES[row["kind"]]:
        raise Refused("that is no score of this question")
    return await _keep(tx, timeline, row, value, giver)


async def pressed(tx: Tx, timeline: Timeline, ref: str, giver: str, rules: Surveys) -> None:
    """Take a press of a score button (``<score>:<survey id>``) and save; raises NotFound, Refused.

    A first score is thanked for, and the reason asked where one is taken; not while somebody else speaks.
    """
    value, _, survey_id = ref.partition(":")
    first = await score(tx, timeline, survey_id, int(value), giver)
    unwanted = timeline.opted_out_at is not None or timeline.blocked_at is not None
    if first and timeline.state.status in OPEN and not unwanted:
        found = words(timeline.language)
        await timeline.say("notice", found.why if rules.reason_minutes else found.thanks, by_staff=True)
    await timeline.save(touch=False)


async def meant(tx: Tx, tenant: str, ref: str) -> str:
    """The conversation of a score button; raises NotFound."""
    row = await tx.row("surveys.place", tenant=tenant, id=ref.partition(":")[2])
    if row is None:
        raise NotFound("that survey is not stored any more")
    return str(row["conversation_id"])


async def typed(tx: Tx, timeline: Timeline, text: str, rules: Surveys) -> str:
    """What a customer's message means to the last survey of a locked conversation: what to answer, '' for nothing.

    A figure is a score while the question is fresh. After a score one message is its reason, unless it asks something.
    """
    if timeline.state.status not in OPEN:
        return ""
    row = await tx.row("surveys.last", conversation_id=timeline.id)
    if row is None:
        return ""
    found = words(timeline.language)
    if row["score"] is None:
        value = typed_score(row["kind"], text) if tx.now_s - row["asked_at"] < rules.answer_h * HOUR_S else None
        if value is None:
            return ""
        await _keep(tx, timeline, row, value, timeline.address)
        return found.why if rules.reason_minutes else found.thanks
    late = tx.now_s - row["scored_at"] >= rules.reason_minutes * MINUTE_S
    if row["comment"] is not None or late or not text.strip() or any(mark in text for mark in QUESTION):
        return ""
    await tx.run("surveys.comment", id=row["id"], comment=text[:COMMENT_CHARACTERS], now=tx.now_s)
    _tell(timeline, row, {"state": "commented"})
    return found.thanks


async def _keep(tx: Tx, timeline: Timeline, row: Row, value: int, giver: str) -> bool:
    await tx.run("surveys.score", id=row["id"], score=value, giver=giver, now=tx.now_s)
    _tell(timeline, row, {"state": "scored", "score": value})
    return row["score"] is None


def _tell(timeline: Timeline, row: Row, more: dict[str, str | int]) -> None:
    told = {"survey": row["id"], "case_id": row["case_id"], "kind": row["kind"], **more}
    timeline.emit("survey", told, audience="staff")
