"""The frozen order and booking requests against the running desk with the real model: how many end in the right effect.

    python -m benchmarks.shop_actions [--file config/demo/evaluation/actions.jsonl] [--log FILE]

Each request is a conversation of its own over HTTP, of the customer it names; a question for a yes gets "yes please".
Judged are the journal of tool calls, what was kept for a question back, and the shop's own bookings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import shop_desk
from benchmarks.shop_desk import Desk, Talk, say

ROOT = Path(__file__).parents[1]
FROZEN = ROOT / "config/demo/evaluation/actions.jsonl"
REQUIRED = {"order_number", "service", "date", "time"}
AIM = 0.9


@dataclass
class Ended:
    """One request; ``wrong`` says what differs from the wanted effect, empty when nothing does."""

    id: str
    message: str
    replies: list[str]
    wrong: str
    seconds: float
    model_tokens: int


async def judged(desk: Desk, row: Mapping[str, Any]) -> Ended:
    """One conversation."""
    async with shop_desk.talk(desk, row["id"], row["customer"]) as talk:
        began = time.monotonic()
        replies = await talk.say(row["message"])
        took_s = time.monotonic() - began
        wrong = _wrong_question(talk) or ""
        if not wrong and (asked := _waiting(talk)):
            given = {name: value for name, value in json.loads(asked["arguments"]).items() if name != "half"}
            wrong = "" if given == row["expected"]["arguments"] else f"would do {asked['tool']} with {given}"
            replies += await talk.say("yes please")
    wrong = wrong or (_asked_back(talk, row) if row["ask_back"] else _effect(talk, row))
    tokens = sum(turn["completion_tokens"] or 0 for turn in talk.turns())
    desk.forget_bookings()
    return Ended(row["id"], row["message"], replies, wrong, round(took_s, 2), tokens)


def _wrong_question(talk: Talk) -> str:
    turn = talk.turns()[-1]
    return "" if turn["outcome"] == "answered" else f"ended as {turn['outcome']} ({turn['reason']})"


def _waiting(talk: Talk) -> dict[str, Any] | None:
    sql = "select tool, arguments from tool_request where conversation_id = ? and state = 'waiting'"
    found = talk.desk.rows(sql, talk.id)
    return found[0] if found else None


def _dialogue(talk: Talk) -> tuple[str, dict[str, Any], str]:
    found = talk.desk.rows("select tool, slots, asked from dialogue where conversation_id = ?", talk.id)
    return (found[0]["tool"], json.loads(found[0]["slots"]), found[0]["asked"]) if found else ("", {}, "")


def _asked_back(talk: Talk, row: Mapping[str, Any]) -> str:
    tool, slots, asked = _dialogue(talk)
    known = {name: value for name, value in slots.items() if name in REQUIRED | {"people"}}
    if talk.steps():
        return f"called {talk.steps()[0]['tool']} instead of asking"
    if (tool, known) != (row["expected"]["tool"], row["expected"]["arguments"]) or asked not in row["ask_back"]:
        return f"asks for {asked or 'nothing'} of {tool or 'no tool'}, knows {known}"
    return ""


def _effect(talk: Talk, row: Mapping[str, Any]) -> str:
    wanted, arguments = row["outcome"], row["expected"]["arguments"]
    sql = "select * from bookings b join slots s on s.id = b.slot_id where b.idempotency_key is not null"
    made = talk.desk.shop(sql)
    if len(made) != (wanted == "booked"):
        return f"{len(made)} bookings were made"
    if wanted == "booked":
        [found] = made
        stored = (found["service_id"], found["day"], found["starts_at"], found["people"])
        right = (arguments["service"], arguments["date"], arguments["time"], arguments.get("people", 1))
        return "" if stored == right else f"booked {stored}"
    if wanted == "alternatives" and not talk.steps():  # told before anybody was asked to say yes
        tool, slots, asked = _dialogue(talk)
        told = tool == row["expected"]["tool"] and slots.get("service") == arguments["service"] and asked == "time"
        return "" if told else f"no alternatives: {tool} {slots} {asked}"
    return _told(talk, wanted, arguments)


def _told(talk: Talk, wanted: str, arguments: Mapping[str, Any]) -> str:
    ended = [step for step in talk.steps() if step["result"]]
    data = (ended[-1]["result"].get("data") or {}) if ended else {}
    if data.get("outcome") != wanted:
        return f"ended with {data.get('outcome') or 'nothing'}"
    number = data.get("number", arguments.get("order_number"))
    return "" if number == arguments.get("order_number") else f"told about {number}"


async def run(rows: Sequence[Mapping[str, Any]], log_path: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        accounts = ["default", *(row["id"] for row in rows)]
        async with shop_desk.running(Path(folder) / "desk", accounts) as desk:
            ended = [await judged(desk, row) for row in rows]
    right = sum(not one.wrong for one in ended)
    times = sorted(one.seconds for one in ended)
    by_model = sum(bool(one.model_tokens) for one in ended)
    say(f"{right} of {len(ended)} right; {by_model} with words of the model; median {times[len(times) // 2]} s")
    for one in ended:
        if one.wrong:
            say(f"  {one.id} {one.message!r}: {one.wrong}: {one.replies}")
    figures = {"right": right, "requests": len(ended), "by_model": by_model, "seconds": times}
    shop_desk.write_log(log_path, {**figures, "ended": [asdict(one) for one in ended]})
    return int(right < AIM * len(ended))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--file", type=Path, default=FROZEN)
    parser.add_argument("--log", type=Path, default=ROOT / "shop_actions.json")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.file.read_text("utf-8").splitlines()]
    sys.exit(asyncio.run(run(rows, options.log)))


if __name__ == "__main__":
    main()
