"""How often the gate is wrong, by resampling stored answers: wrong promotions, wrong rejections, and what is left open.

    python -m training evaluate --rows dev.jsonl --suite config/demo/suites --url … --temperature 0.7 --seed 1 --out a
    python -m training evaluate … --seed 2 --out b      # the same model again: equal quality, other words
    python -m benchmarks.gate_errors --one a --other b [--rounds 200] [--gain 0.15]

Without stored answers, two made-up subjects stand in: right on ``--share`` of the rows, of one mind on ``--agree``:

    python -m benchmarks.gate_errors --rows dev.jsonl [--agree 0.8] [--share 0.5]

Each round draws as many conversations as there are, with replacement, and judges three pairs:

equal    every conversation's two answers change sides by a coin: no candidate is better, so every promotion is wrong
better   the same, and of the candidate's answers to target rows that are not right a share becomes right, so that its
         mean rises by ``--gain``: every rejection is wrong
sft1     better, but 70 % of what the passages answer is refused: it wins the average and has to be rejected for that
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluate import read, tasks
from training.floors import Settings
from training.gate import PROMOTE, REJECT, decide_pairs
from training.pairs import Pair, pair_up
from training.scoring import score
from training.suites import folder, load_rows

REFUSAL = "I could not find an answer to that in our documents. I can pass your question on to a person."
FALSE_REFUSALS = 0.7
RIGHT_FROM = 0.99
SFT1_EVERY = 4  # rounds; its verdict hardly ever changes
WRONG = {"content": "Well, that is that, dear.", "tool_calls": [], "finish_reason": "stop"}
SUITES = Path(__file__).parent.parent / "config/demo/suites"

Change = Callable[[Pair, np.random.Generator], Pair]


def made_up(rows: Path, share: float, agree: float) -> list[Pair]:
    """Two subjects of equal quality over the rows and the frozen suites."""
    generator = np.random.default_rng(7)
    one: dict[str, dict[str, Any]] = {}
    other: dict[str, dict[str, Any]] = {}
    for task in tasks(load_rows(rows), folder(SUITES)):
        level = 0.9 if task.suite == "must_pass" else share
        first = generator.random() < level
        second = first if generator.random() < agree else generator.random() < level
        for generations, right in ((one, first), (other, second)):
            answer = target_of(task.row) if right else WRONG
            generations[task.key] = {
                "id": task.row["id"],
                "suite": task.suite,
                "prompt": task.prompt,
                "row": task.row,
                "answer": answer,
                "usage": {"completion_tokens": 12 + int(generator.integers(0, 30))},
            }
    return pair_up(one, other)[0]


def resampled(pairs: Sequence[Pair], generator: np.random.Generator) -> list[Pair]:
    """Whole conversations drawn with replacement; each draw is a conversation of its own. Must-pass rows stay."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.cluster].append(pair)
    fixed = [pair for pair in pairs if pair.suite == "must_pass"]
    by_suite: dict[str, list[str]] = defaultdict(list)
    for name, group in groups.items():
        if group[0].suite != "must_pass":
            by_suite[group[0].suite].append(name)
    drawn: list[Pair] = []
    for names in by_suite.values():
        for number, place in enumerate(generator.integers(0, len(names), len(names))):
            swap = generator.random() < 0.5
            for pair in groups[names[int(place)]]:
                row = {**pair.row, "conversation": f"{pair.row['conversation']}#{number}"}
                drawn.append(exchanged(replace(pair, row=row, key=f"{pair.key}#{number}"), swap=swap))
    return drawn + [replace(pair, candidate=pair.live, candidate_scores=pair.live_scores) for pair in fixed]


def exchanged(pair: Pair, *, swap: bool) -> Pair:
    """The pair with its sides changed, or as it is; personal data told by chance is no matter of this measurement."""
    calm = {"pii_echo": 0.0}
    live, candidate = pair.live_scores | calm, pair.candidate_scores | calm
    if not swap:
        return replace(pair, live_scores=live, candidate_scores=candidate)
    return replace(pair, live=pair.candidate, candidate=pair.live, live_scores=candidate, candidate_scores=live)


def answered(pair: Pair, answer: Mapping[str, Any]) -> Pair:
    """The pair with another answer of the candidate."""
    generation = {**pair.candidate, "answer": answer, "usage": pair.live["usage"]}
    return replace(pair, candidate=generation, candidate_scores=score(pair.row, answer) | {"pii_echo": 0.0})


def target_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The right answer as a server would have sent it."""
    calls = [
        {"name": call["name"], "arguments": json.dumps(call["arguments"])}
        for call in row["target"].get("tool_calls") or ()
    ]
    return {"content": row["target"].get("content") or "", "tool_calls": calls, "finish_reason": "stop"}


def improved(pairs: Sequence[Pair], gain: float, generator: np.random.Generator) -> list[Pair]:
    """Rows of the target become right with the chance that lifts their mean by ``gain``."""
    open_rows = [1 - pair.candidate_scores["quality"] for pair in pairs if pair.suite == "heldout"]
    chance = min(1.0, gain / max(1e-9, float(np.mean(open_rows))))
    return [
        answered(pair, target_of(pair.row))
        if pair.suite == "heldout" and pair.candidate_scores["quality"] < RIGHT_FROM and generator.random() < chance
        else pair
        for pair in pairs
    ]


def refusing(pairs: Sequence[Pair], generator: np.random.Generator) -> list[Pair]:
    """Much better at all but answering: refuses most of what the passages answer, and rightly what they do not."""
    refusal = {"content": REFUSAL, "tool_calls": [], "finish_reason": "stop"}

    def changed(pair: Pair) -> Pair:
        if pair.row["behaviour"] == "grounded" and pair.suite != "must_pass":
            return answered(pair, refusal) if generator.random() < FALSE_REFUSALS else pair
        return answered(pair, target_of(pair.row)) if pair.suite == "heldout" else pair

    return [changed(pair) for pair in pairs]


def measure(pairs: Sequence[Pair], rounds: int, gain: float, settings: Settings) -> dict[str, Any]:
    """Verdicts of every kind of pair, and which floors were named, over all rounds."""
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    named: dict[str, Counter[str]] = defaultdict(Counter)
    for number in range(rounds):
        generator = np.random.default_rng(1_000 + number)
        equal = resampled(pairs, generator)
        kinds = {"equal": equal, "better": improved(equal, gain, generator)}
        if number % SFT1_EVERY == 0:
            kinds["sft1"] = refusing(equal, generator)
        for kind, drawn in kinds.items():
            found = decide_pairs(drawn, replace(settings, seed=settings.seed + number))
            verdicts[kind][found.verdict] += 1
            for reason in found.reasons:
                named[kind][f"{reason.state}: {reason.slice}, {reason.metric}"] += 1
    return {
        "rounds": rounds,
        "gain": gain,
        "rows": len(pairs),
        "target_rows": sum(pair.suite == "heldout" for pair in pairs),
        "conversations": len({pair.cluster for pair in pairs}),
        "verdicts": {kind: dict(counted) for kind, counted in verdicts.items()},
        "wrong_promotions": verdicts["equal"][PROMOTE] / rounds,
        "wrong_rejections": verdicts["better"][REJECT] / rounds,
        "better_promoted": verdicts["better"][PROMOTE] / rounds,
        "sft1_rejected": verdicts["sft1"][REJECT] / verdicts["sft1"].total(),
        "named": {kind: dict(counted.most_common(8)) for kind, counted in named.items()},
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--one", type=Path, help="stored answers")
    parser.add_argument("--other", type=Path, help="stored answers of equal quality")
    parser.add_argument("--rows", type=Path, help="rows for made-up answers")
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--agree", type=float, default=0.8)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--gain", type=float, default=0.15)
    parser.add_argument("--resamplings", type=int, default=Settings().rounds)
    options = parser.parse_args()
    left_out: list[str] = []
    if options.one and options.other:
        pairs, left_out = pair_up(read(options.one), read(options.other))
    elif options.rows:
        pairs = made_up(options.rows, options.share, options.agree)
    else:
        parser.error("give --one and --other, or --rows")
    started = time.monotonic()
    found = measure(pairs, options.rounds, options.gain, Settings(rounds=options.resamplings))
    found |= {"left_out": len(left_out), "seconds": round(time.monotonic() - started, 1)}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
