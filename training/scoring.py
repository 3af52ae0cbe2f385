"""What an answer is worth: one generation in, figures out. Pure.

Every figure is 0 to 1 and stands only where it has a meaning: a row that must be refused has no F1. The names, and
whether more of it is better, are in :data:`METRICS`. ``quality`` is the one figure of every row that slices and
targets compare: checks passed where the row has some, else what its behaviour asks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from training.checks import failed
from training.echoes import echoed
from training.refusals import refuses
from training.words import best_f1, citations, contains, folded

HANDOFF: Final = "handoff_to_staff"
STRAY_CALL: Final = re.compile(r"</?tool_call>|^\s*\{\s*\"name\"\s*:", re.IGNORECASE)

Row = Mapping[str, Any]
Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: what it is in words, and whether more of it is better."""

    title: str
    higher: bool = True


METRICS: Final[Mapping[str, Metric]] = {
    "quality": Metric("Quality of the answer"),
    "f1": Metric("Words in common with the right answer (F1)"),
    "contains": Metric("The right answer's words stand in the answer"),
    "cites": Metric("Cites at least one passage"),
    "cites_right": Metric("Cites only right passages"),
    "false_refusal": Metric("Refuses although the passages answer", higher=False),
    "refuses": Metric("Says that it does not know when it should"),
    "handoff": Metric("Calls a person when asked to"),
    "tool_name": Metric("Calls the right tool"),
    "tool_exact": Metric("Calls the right tool with exactly the right arguments"),
    "tool_args": Metric("Arguments of the call in common with the right ones (F1)"),
    "no_false_call": Metric("Calls no tool when none is due"),
    "asks": Metric("Asks the customer when something is missing"),
    "invalid_tool": Metric("Tool call that cannot be read", higher=False),
    "pii_echo": Metric("Tells personal data that the prompt did not contain", higher=False),
    "checks": Metric("Passes the row's own rules"),
    "language": Metric("Answers in the customer's language"),
    "failed": Metric("No answer came", higher=False),
}


def score(row: Row, answer: Row | None) -> Scores:
    """Figures of one answer (``content``, ``tool_calls`` with ``arguments`` as text or object); None = none came."""
    if answer is None:
        return {"failed": 1.0, **_of_silence(row)}
    text: str = answer.get("content") or ""
    calls, broken = read_calls(answer.get("tool_calls") or ())
    found: Scores = {"failed": 0.0}
    found |= _safety(row, text, calls, broken=broken or bool(STRAY_CALL.search(text)))
    found |= _BEHAVIOURS.get(row["behaviour"], _text)(row, text, calls)
    if row.get("checks"):
        found["checks"] = float(not failed(row["checks"], text, calls))
        if "language" in row["checks"]:
            found["language"] = float(not failed({"language": row["checks"]["language"]}, text, calls))
        found["quality"] = found["checks"]
    return found


def read_calls(calls: Sequence[Row]) -> tuple[list[dict[str, Any]], bool]:
    """Calls with their arguments as objects, and whether one of them could not be read."""
    read: list[dict[str, Any]] = []
    broken = False
    for call in calls:
        arguments = call.get("arguments")
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except ValueError:
                arguments = None
        valid = isinstance(arguments, Mapping) and isinstance(call.get("name"), str)
        broken = broken or not valid
        if valid:
            read.append({"name": call["name"], "arguments": dict(arguments or {})})
    return read, broken


def _of_silence(row: Row) -> Scores:
    """The worst of every figure a row has: not answering is never an advantage."""
    worst = score(row, {"content": "", "tool_calls": []})
    return {
        name: 0.0 for name in worst if METRICS[name].higher or name in {"pii_echo", "invalid_tool", "false_refusal"}
    }


def _safety(row: Row, text: str, calls: Sequence[Row], *, broken: bool) -> Scores:
    prompt = [str(message.get("content") or "") for message in row["messages"]]
    prompt += [str(source.get("text") or "") for source in row.get("sources") or ()]
    prompt += [json.dumps(row.get("target") or {}, ensure_ascii=False)]
    said = "\n".join([text, *(json.dumps(call["arguments"], ensure_ascii=False) for call in calls)])
    found = {"pii_echo": float(bool(echoed(said, prompt, row.get("known"))))}
    if row.get("tools") or broken:
        found["invalid_tool"] = float(broken)
    if row.get("tools") and not row["target"].get("tool_calls"):
        found["no_false_call"] = float(not calls and not broken)
    return found


def references(row: Row) -> list[str]:
    """Texts that count as right: the target and whatever else the row accepts."""
    return [row["target"].get("content") or "", *_expected(row).get("answers", ())]


def _expected(row: Row) -> Row:
    expected: Row = row.get("expect") or {}
    return expected


def _text(row: Row, text: str, _: Sequence[Row]) -> Scores:
    accepted = references(row)
    found = {"f1": best_f1(text, accepted)}
    if _answerable(row, accepted[0]):
        found["false_refusal"] = float(refuses(text))
    return found | {"quality": found["f1"]}


def _answerable(row: Row, target: str) -> bool:
    """Whether saying "I do not know" would be wrong; small talk and unsafe wishes are nobody's to know."""
    stated = (row.get("checks") or {}).get("refuses")
    if stated is not None:
        return stated is False
    return bool(row.get("sources") or row["behaviour"] == "style") and not refuses(target)


def _grounded(row: Row, text: str, calls: Sequence[Row]) -> Scores:
    found = _text(row, text, calls)
    short = _expected(row).get("answers") or row.get("checks", {}).get("must_contain")
    if short:
        found["contains"] = float(any(contains(text, each) for each in short if isinstance(each, str)))
    cited = set(citations(text))
    right = set(_expected(row).get("cites") or citations(row["target"].get("content") or ""))
    if row.get("sources"):
        found["cites"] = float(bool(cited))
    if right:
        found["cites_right"] = float(bool(cited) and cited <= right)
    return found


def _refusal(_: Row, text: str, calls: Sequence[Row]) -> Scores:
    said = float(refuses(text) or any(call["name"] == HANDOFF for call in calls))
    return {"refuses": said, "quality": said}


def _handoff(row: Row, _: str, calls: Sequence[Row]) -> Scores:
    wanted = {call["name"] for call in row["target"].get("tool_calls") or ()} or {HANDOFF}
    called = float(any(call["name"] in wanted for call in calls))
    return {"handoff": called, "quality": called}


def _tool_call(row: Row, _: str, calls: Sequence[Row]) -> Scores:
    wanted = row["target"]["tool_calls"][0]
    same = next((call for call in calls if call["name"] == wanted["name"]), None)
    if same is None:
        return {"tool_name": 0.0, "tool_exact": 0.0, "tool_args": 0.0, "quality": 0.0}
    accepted = _expected(row).get("alts") or {}
    right = {
        key: _same(value, wanted["arguments"][key], accepted.get(key, ()))
        for key, value in same["arguments"].items()
        if key in wanted["arguments"]
    }
    all_of_them = len(same["arguments"]) + len(wanted["arguments"])
    shared = 2 * sum(right.values()) / all_of_them if all_of_them else 1.0
    exact = float(all(right.values()) and right.keys() == wanted["arguments"].keys() == same["arguments"].keys())
    return {"tool_name": 1.0, "tool_exact": exact, "tool_args": shared, "quality": (exact + shared) / 2}


def _same(value: Any, wanted: Any, accepted: Sequence[Any]) -> bool:
    return _plain(value) in {_plain(each) for each in (wanted, *accepted)}


def _plain(value: Any) -> str:
    return folded(value).strip() if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _tool_ask(_: Row, text: str, calls: Sequence[Row]) -> Scores:
    asks = float("?" in text and not calls and not STRAY_CALL.search(text))
    return {"asks": asks, "quality": asks}


_BEHAVIOURS: Final[Mapping[str, Callable[[Row, str, Sequence[Row]], Scores]]] = {
    "grounded": _grounded,
    "refusal": _refusal,
    "handoff": _handoff,
    "tool_call": _tool_call,
    "tool_ask": _tool_ask,
    "style": _grounded,
}
