"""Whether a training run is worth it: says no where examples are too few, facts are what is missing, or less will do.

Pure: approved examples in, and where they exist the answers of the base model, alone and with examples in its prompt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from training.scoring import score
from training.words import citations, folded, tokens

FEWEST: Final = 100  # approved examples; practice, not measured
RECOMMENDED: Final = 500
PREFERENCES: Final = 100  # pairs from which preference training makes sense
FACTUAL_SHARE: Final = 0.5  # of the corrections
GOAL: Final = 0.8  # mean quality that is good enough; policy
PERSON_SHARE: Final = 0.5  # of the examples from one person

FACT: Final = re.compile(r"\d+(?:[.,:]\d+)*|https?://\S+|[\w.+-]+@[\w-]+\.\w+|(?<=[a-z,;] )[A-ZÄÖÜ]\w{2,}")

Row = Mapping[str, Any]
Generations = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``stops`` when it alone says no."""

    name: str
    stops: bool
    value: float
    threshold: float
    text: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to tune, with everything that was looked at and what to do instead."""

    tune: bool
    findings: tuple[Finding, ...]
    examples: int
    pairs: int
    behaviours: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def text(self) -> str:
        """The report as lines of plain text, the answer first."""
        head = "Yes: tune." if self.tune else "No: do not tune yet."
        kinds = ", ".join(f"{count} {name}" for name, count in self.behaviours.items()) or "none"
        lines = [head, f"{self.examples} approved examples ({kinds}), {self.pairs} preference pairs."]
        return "\n".join([*lines, *(f"{'-' if each.stops else '+'} {each.text}" for each in self.findings)])


def advise(
    examples: Sequence[Row],
    base: Generations | None = None,
    few_shot: Generations | None = None,
    goal: float = GOAL,
) -> Advice:
    """The report; ``base`` and ``few_shot`` are generations over the same rows, ``goal`` the quality wanted."""
    kept = [row for row in examples if row.get("origin") != "replay"]
    pairs = sum(bool(row.get("rejected")) for row in kept)
    findings = [_enough(len(kept)), _facts(kept), _one_person(kept)]
    if base:
        findings.append(_already(base, goal))
    if few_shot:
        findings.append(_prompting(few_shot, goal))
    findings.append(_preferences(pairs))
    counted = Counter(row["behaviour"] for row in kept)
    stops = any(finding.stops for finding in findings)
    return Advice(not stops, tuple(findings), len(kept), pairs, dict(counted.most_common()))


def _enough(count: int) -> Finding:
    if count < FEWEST:
        text = f"{count} approved examples; at least {FEWEST} are needed: {FEWEST - count} more have to be approved."
        return Finding("examples", stops=True, value=count, threshold=FEWEST, text=text)
    more = "" if count >= RECOMMENDED else f" Results are steadier from {RECOMMENDED} on."
    return Finding(
        "examples", stops=False, value=count, threshold=FEWEST, text=f"{count} approved examples are enough.{more}"
    )


def facts(text: str) -> set[str]:
    """Figures, addresses and names inside sentences: what knowledge, not an adapter, has to supply."""
    return {folded(found).rstrip(".") for found in FACT.findall(text)}


def factual(row: Row) -> bool:
    """Whether a correction adds facts that stand neither in the rejected answer nor in the prompt."""
    wanted = row["target"].get("content") or ""
    for number in citations(wanted):
        wanted = wanted.replace(f"[{number}]", " ")
    before = (row.get("rejected") or {}).get("content") or ""
    prompt = " ".join(str(message.get("content") or "") for message in row["messages"])
    known = folded(f"{before} {prompt}")
    new = {fact for fact in facts(wanted) if fact not in known}
    return bool(new - set(tokens(before)))


def _facts(rows: Sequence[Row]) -> Finding:
    corrections = [row for row in rows if row.get("rejected") and (row["target"].get("content") or "").strip()]
    share = sum(map(factual, corrections)) / len(corrections) if corrections else 0.0
    if share > FACTUAL_SHARE:
        text = (
            f"{share:.0%} of {len(corrections)} corrections add facts that were not in the passages: put them into the "
            "knowledge base, where they are live in seconds. An adapter would only learn to invent them."
        )
        return Finding("facts", stops=True, value=share, threshold=FACTUAL_SHARE, text=text)
    text = f"{share:.0%} of {len(corrections)} corrections add facts; the others change how things are said or done."
    return Finding("facts", stops=False, value=share, threshold=FACTUAL_SHARE, text=text)


def _one_person(rows: Sequence[Row]) -> Finding:
    people = Counter(row.get("person") or "" for row in rows)
    share = max(people.values(), default=0) / max(1, len(rows))
    text = f"The most active person wrote {share:.0%} of the examples"
    more = "; prepare caps that, so fewer will be used." if share > PERSON_SHARE else "."
    return Finding("one_person", stops=False, value=share, threshold=PERSON_SHARE, text=text + more)


def quality(generations: Generations) -> float:
    """Mean quality of a subject's answers."""
    found = [score(entry["row"], entry["answer"]).get("quality", 0.0) for entry in generations.values()]
    return sum(found) / max(1, len(found))


def _already(base: Generations, goal: float) -> Finding:
    reached = quality(base)
    if reached >= goal:
        text = f"The model already does it right: quality {reached:.2f}. There is little left to win."
        return Finding("already", stops=True, value=reached, threshold=goal, text=text)
    text = f"The model reaches quality {reached:.2f} without tuning; {goal:.2f} is wanted."
    return Finding("already", stops=False, value=reached, threshold=goal, text=text)


def _prompting(few_shot: Generations, goal: float) -> Finding:
    reached = quality(few_shot)
    if reached >= goal:
        text = f"Examples in the prompt reach quality {reached:.2f} already: write them into the system prompt instead."
        return Finding("few_shot", stops=True, value=reached, threshold=goal, text=text)
    text = f"Examples in the prompt reach {reached:.2f}; {goal:.2f} is wanted."
    return Finding("few_shot", stops=False, value=reached, threshold=goal, text=text)


def _preferences(pairs: int) -> Finding:
    fit = "enough" if pairs >= PREFERENCES else f"preference training (DPO) needs {PREFERENCES}"
    text = f"{pairs} pairs of a rejected and a better answer: {fit}."
    return Finding("pairs", stops=False, value=pairs, threshold=PREFERENCES, text=text)
