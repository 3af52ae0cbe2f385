"""The metrics of docs/analytics.md counted straight from events, for comparison: no code of the server is used here.

An event is (conversation, kind, time, body). Written to be read beside the definitions, not to be fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

SEVEN_DAYS_S = 7 * 86_400.0
HELD = ("waiting", "claimed")

Told = tuple[str | None, str, float, dict[str, Any]]
Case = dict[str, Any]
_known: dict[int, list[Case]] = {}


def count(
    events: Sequence[Told], since: float, until: float, now: float, prices: tuple[float, float], **chosen: str
) -> dict[str, Any]:
    """Every metric of the cases that opened in [since, until) and have the chosen channel, language or release."""
    if id(events) not in _known:
        _known.clear()
        _known[id(events)] = cases_of(events)
    fitting = [case for case in _known[id(events)] if all((case[name] or "") == chosen[name] for name in chosen)]
    cases = [case for case in fitting if since <= case["opened"] < until]
    moment = min(until, now)
    held = sum(any(a <= moment and (b is None or b > moment) for _, a, b in case["held"]) for case in fitting)
    return {**_whole(cases), **_times(cases), **_opinions(cases), **_work(cases, prices), **_returns(cases, now),
            "backlog": held}  # fmt: skip


def cases_of(events: Iterable[Told]) -> list[Case]:
    """What happened in each case."""
    talks: dict[str, list[Told]] = {}
    for event in events:
        if event[0] is not None:
            talks.setdefault(event[0], []).append(event)
    return [case for talk in talks.values() for case in _talk(talk)]


def _talk(talk: list[Told]) -> list[Case]:
    cases: list[Case] = []
    running: Case | None = None
    status = "bot"
    for _, kind, at, body in talk:
        if kind == "case_opened":
            if cases:
                cases[-1]["next"] = at
            running = {name: body[name] for name in ("channel", "language", "case_id")}
            running |= {"opened": at, "next": None, "release": None, "reason": None, "ratings": {}, "scores": {}}
            running |= {"asked": set()} | {name: [] for name in ("said", "held", "turns", "promises")}
            cases.append(running)
            _held(running, status, "carried", at)
            running["reason"] = "carried" if running["held"] else None
        elif kind == "case_closed" and running is not None:
            _let_go(running, at)
            running = None
        elif kind == "state" and body["status"] != status:
            status = body["status"]
            _held(running, status, body["reason"], at)
        elif kind == "message" and running is not None and body["role"] != "notice":
            running["said"].append((body["role"], at, body["id"]))
        elif kind == "turn_ended" and running is not None:
            running["turns"].append(body)
            running["release"] = running["release"] or body["release"]
        else:
            _later(cases, kind, body)
    return cases


def _held(case: Case | None, status: str, reason: str | None, at: float) -> None:
    if case is None:
        return
    _let_go(case, at)
    if status in HELD:
        case["held"].append([status, at, None])
        case["reason"] = case["reason"] or ("taken" if status == "claimed" else reason)


def _let_go(case: Case, at: float) -> None:
    for span in case["held"]:
        if span[2] is None:
            span[2] = at


def _later(cases: list[Case], kind: str, body: dict[str, Any]) -> None:
    """What may come when its case is over."""
    if kind == "feedback":
        for case in cases:
            if any(message == body["message_id"] for _, _, message in case["said"]):
                case["ratings"][body["message_id"]] = body["value"]
    if kind in {"survey", "sla"}:
        (case,) = (each for each in cases if each["case_id"] == body["case_id"])
        if kind == "sla":
            case["promises"].append(body["outcome"])
        elif body["state"] == "asked":
            case["asked"].add(body["kind"])
        elif body["state"] == "scored":
            case["scores"][body["kind"]] = body["score"]


def _part(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _nth(values: list[float], part: float) -> float | None:
    return sorted(values)[math.ceil(len(values) * part) - 1] if values else None


def _whole(cases: list[Case]) -> dict[str, Any]:
    handed = [case for case in cases if case["held"]]
    deflected = [
        case
        for case in cases
        if not case["held"]
        and any(turn["outcome"] == "answered" for turn in case["turns"])
        and not any(role == "staff" for role, _, _ in case["said"])
        and "down" not in case["ratings"].values()
    ]
    reasons: dict[str, int] = {}
    for case in handed:
        reasons[case["reason"]] = reasons.get(case["reason"], 0) + 1
    return {
        "conversations": len(cases),
        "containment": _part(len(cases) - len(handed), len(cases)),
        "deflection": _part(len(deflected), len(cases)),
        "handoff_rate": _part(len(handed), len(cases)),
        "reasons": reasons,
    }


def _times(cases: list[Case]) -> dict[str, float | None]:
    bot, staff, handled = [], [], []
    for case in cases:
        first = next((at for role, at, _ in case["said"] if role == "customer"), None)
        answers = [at for role, at, _ in case["said"] if role == "assistant" and first is not None and at >= first]
        people = [at for role, at, _ in case["said"] if role == "staff"]
        if answers and first is not None:
            bot.append(answers[0] - first)
        began = case["held"][0][1] if case["held"] else first
        if people and began is not None:
            staff.append(people[0] - began)
        claims = sum(end - start for kind, start, end in case["held"] if kind == "claimed" and end is not None)
        if claims:
            handled.append(claims)
    return {
        "first_response_bot": _nth(bot, 0.5),
        "first_response_bot_p90": _nth(bot, 0.9),
        "first_response_staff": _nth(staff, 0.5),
        "first_response_staff_p90": _nth(staff, 0.9),
        "handle_time": _part(sum(handled), len(handled)),
    }


def _opinions(cases: list[Case]) -> dict[str, float | None]:
    csat = [case["scores"]["csat"] for case in cases if "csat" in case["scores"]]
    nps = [case["scores"]["nps"] for case in cases if "nps" in case["scores"]]
    thumbs = [value for case in cases for value in case["ratings"].values() if value]
    promises = [each for case in cases for each in case["promises"] if each in {"met", "missed"}]
    balance = sum((each > 8) - (each < 7) for each in nps)
    return {
        "csat": _part(sum(each >= 4 for each in csat), len(csat)),
        "csat_average": _part(sum(csat), len(csat)),
        "csat_response": _part(len(csat), sum("csat" in case["asked"] for case in cases)),
        "nps": 100 * balance / len(nps) if nps else None,
        "thumbs": _part(thumbs.count("up"), len(thumbs)),
        "sla_met": _part(promises.count("met"), len(promises)),
    }


def _work(cases: list[Case], prices: tuple[float, float]) -> dict[str, float | None]:
    turns = [turn for case in cases for turn in case["turns"]]
    asked, written = sum(turn["prompt_tokens"] for turn in turns), sum(turn["completion_tokens"] for turn in turns)
    done = sum(turn["calls"].get("done", 0) for turn in turns)
    failed = sum(turn["calls"].get("failed", 0) for turn in turns)
    cost = (asked * prices[0] + written * prices[1]) / 1_000_000
    return {
        "tool_success": _part(done, done + failed),
        "tokens": asked + written,
        "tokens_per_conversation": _part(asked + written, len(cases)),
        "cost": cost,
        "cost_per_conversation": _part(cost, len(cases)),
    }


def _returns(cases: list[Case], now: float) -> dict[str, float | None]:
    told = []
    for case in cases:
        if not any(role in {"assistant", "staff"} for role, _, _ in case["said"]):
            continue
        last = case["said"][-1][1]
        back = case["next"] is not None and case["next"] - last <= SEVEN_DAYS_S
        if back or now - last >= SEVEN_DAYS_S:
            told.append(not back)
    return {"first_contact_resolution": _part(sum(told), len(told))}
