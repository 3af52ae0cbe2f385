"""The gate's decision as ``report.json`` and as one page that a person reads without knowing statistics.

The page stands alone (no script, no outside file), starts with the verdict and what to do, then the floors, then what
became worse before what became better, with texts side by side.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, select_autoescape

from training import plots
from training.gate import PROMOTE, REJECT, UNSURE, Decision
from training.pairs import Generations, Pair, means
from training.scoring import METRICS
from training.slices import question

TEMPLATE: Final = Path(__file__).with_name("report.html.jinja")
MOST_CASES: Final = 25  # of each list; all keys are in report.json
LONGEST_TEXT: Final = 1_500  # characters of an answer
HEADLINES: Final = {
    PROMOTE: "Promote: the candidate is better and nothing got worse",
    REJECT: "Reject: something got worse",
    UNSURE: "Not enough evidence",
}
NEXT: Final = {
    PROMOTE: "Start it as a canary with a small share of conversations, or make it live.",
    REJECT: "Do not use this candidate. Look at the broken floors below, correct the examples they come from, retrain.",
    UNSURE: "Keep what is live. Collect what the reasons below ask for, then run the gate again.",
}
DIGITS: Final = 4

Subjects = Mapping[str, Generations]


def as_json(decision: Decision, subjects: Subjects) -> dict[str, Any]:
    """The whole report as plain data; a figure that does not exist is null."""
    found = {
        **decision.as_json(),
        "subjects": {name: subject(generations) for name, generations in subjects.items()},
    }
    plain: dict[str, Any] = _rounded(found)
    return plain


def subject(generations: Generations) -> dict[str, Any]:
    """Model, rows, figures and speed of one subject."""
    answered = [entry for entry in generations.values() if entry["answer"] is not None]
    return {
        "models": sorted({entry["model"] for entry in generations.values()}),
        "rows": len(generations),
        "answered": len(answered),
        "figures": {name: {"value": value, "rows": rows} for name, (value, rows) in means(generations).items()},
        "first_token_ms": _median([entry["first_token_ms"] for entry in answered]),
        "total_ms": _median([entry["total_ms"] for entry in answered]),
        "tokens": _median([(entry.get("usage") or {}).get("completion_tokens") for entry in answered]),
    }


def write(decision: Decision, pairs: Sequence[Pair], subjects: Subjects, out: Path) -> Path:
    """Write ``report.json`` at ``out`` and the page beside it, each whole or not at all; the page's path."""
    found = as_json(decision, subjects)
    _replace(out, json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    page = out.with_suffix(".html")
    _replace(page, html(found, pairs))
    return page


def html(found: Mapping[str, Any], pairs: Sequence[Pair]) -> str:
    """The page of a report; every text of a row or model is escaped."""
    environment = Environment(autoescape=select_autoescape(default=True, default_for_string=True))
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    by_key = {pair.key: pair for pair in pairs}
    judged = [each for each in found["slices"] if each["state"] != "few"]
    sizes = {name: _sizes(pairs, name) for name in ("live", "candidate")}
    return template.render(
        headline=HEADLINES[found["verdict"]],
        next=NEXT[found["verdict"]],
        report=found,
        metrics={name: metric.title for name, metric in METRICS.items()},
        broken=[_case(by_key[key]) for key in found["broken"][:MOST_CASES] if key in by_key],
        fixed=[_case(by_key[key]) for key in found["fixed"][:MOST_CASES] if key in by_key],
        intervals=plots.intervals(judged) if judged else "",
        lengths=plots.lengths(sizes) if all(sizes.values()) else "",
    )


def _case(pair: Pair) -> dict[str, Any]:
    return {
        "key": pair.key,
        "question": question(pair.row)[:LONGEST_TEXT],
        "wanted": _said(pair.row["target"]),
        "live": _said(pair.live["answer"]),
        "candidate": _said(pair.candidate["answer"]),
        "live_quality": pair.live_scores.get("quality", 0.0),
        "candidate_quality": pair.candidate_scores.get("quality", 0.0),
    }


def _said(answer: Mapping[str, Any] | None) -> str:
    if answer is None:
        return "(no answer)"
    calls = [f"→ {call['name']}({_arguments(call['arguments'])})" for call in answer.get("tool_calls") or ()]
    return "\n".join([*filter(None, [answer.get("content") or ""]), *calls])[:LONGEST_TEXT]


def _arguments(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _sizes(pairs: Sequence[Pair], name: str) -> list[float]:
    entries = [getattr(pair, name) for pair in pairs]
    counted = [(entry.get("usage") or {}).get("completion_tokens") for entry in entries if entry["answer"] is not None]
    return [float(size) for size in counted if size is not None]


def _median(values: Sequence[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.partial")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
