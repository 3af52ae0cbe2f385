"""Fits the few weights of ``server.knowledge.confidence`` and says how good they are on questions they never saw.

    python -m benchmarks.knowledge_confidence [--data ../shared/data]

Three kinds of questions are put to the index of the demo shop: its own answerable ones; its own that nothing answers
(near misses of the same world); and questions of other worlds (clinc150 out of scope, banking77). The weights are
fitted on two thirds of them (by the hash of the question) and judged on the rest; the printed weights are of all.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.knowledge import Knowledge
from server.knowledge.confidence import features
from server.knowledge.evaluation import DEMO, demo_documents
from server.knowledge.offline import Offline, read_folder
from server.knowledge.questions import read
from server.knowledge.vectors import open_embeddings

Matrix = NDArray[np.float64]
FOREIGN_EACH = 100
RIDGE = 5.0
FOLDS = 3
ROUNDS = 40
FALSE_ABSTENTION = 0.1


def foreign(data: Path) -> list[str]:
    rows = json.loads((data / "clinc150" / "data.json").read_text(encoding="utf-8"))
    texts = [row[0] for row in rows["oos_train"] + rows["oos_val"]][: 2 * FOREIGN_EACH]
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        banking = [row["text"] for row in csv.DictReader(file)]
    return texts + banking[:: len(banking) // FOREIGN_EACH][:FOREIGN_EACH]


def fit(rows: Matrix, wanted: Matrix) -> tuple[Matrix, float]:
    """Ridge logistic regression by Newton's method, both answers weighing the same; weights of the raw features."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    scaled = np.c_[(rows - mean) / spread, np.ones(len(rows))]
    worth = np.where(wanted == 1, 0.5 / wanted.mean(), 0.5 / (1 - wanted.mean()))
    punished = np.diag([RIDGE] * rows.shape[1] + [1e-6])
    weights = np.zeros(scaled.shape[1])
    for _ in range(ROUNDS):
        guess = 1 / (1 + np.exp(-scaled @ weights))
        slope = scaled.T @ (worth * (guess - wanted)) + punished @ weights
        bend = (scaled * (worth * guess * (1 - guess))[:, None]).T @ scaled + punished
        weights -= np.linalg.solve(bend, slope)
    raw = weights[:-1] / spread
    return raw, float(weights[-1] - raw @ mean)


def shifted(rows: Matrix, wanted: Matrix, raw: Matrix, bias: float) -> float:
    """The bias with which the allowed share of answerable questions stays under one half."""
    return bias - float(np.quantile((rows @ raw + bias)[wanted == 1], FALSE_ABSTENTION * 0.9))


def judged(kinds: Sequence[str], scores: Matrix) -> dict[str, float]:
    return {
        kind: float(np.mean(scores[np.array([each == kind for each in kinds])] < 0)) for kind in dict.fromkeys(kinds)
    }


async def collect(data: Path) -> tuple[list[str], list[str], list[dict[str, float]]]:
    settings = Knowledge()
    embeddings = open_embeddings(settings)
    await embeddings.warm()
    index = Offline(embeddings, settings, embeddings.tokenizer)
    await index.add(await read_folder(DEMO, settings, demo_documents))
    asked = [(q.question, "answerable") for q in read(DEMO / "evaluation" / "answerable.jsonl")]
    asked += [(q.question, "near miss") for q in read(DEMO / "evaluation" / "unanswerable.jsonl")]
    asked += [(text, "other world") for text in foreign(data)]
    values = [features(text, (await index.find(text)).passages) for text, _ in asked]
    await embeddings.close()
    return [text for text, _ in asked], [kind for _, kind in asked], values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    texts, kinds, values = asyncio.run(collect(parser.parse_args().data))
    names = list(values[0])
    rows = np.array([[value[name] for name in names] for value in values])
    wanted = np.array([float(kind == "answerable") for kind in kinds])
    fold = np.array([int(hashlib.sha256(text.encode()).hexdigest(), 16) % FOLDS for text in texts])
    unseen = np.zeros(len(texts))
    for each in range(FOLDS):
        raw, bias = fit(rows[fold != each], wanted[fold != each])
        bias = shifted(rows[fold != each], wanted[fold != each], raw, bias)
        unseen[fold == each] = rows[fold == each] @ raw + bias
    print(
        json.dumps(
            {f"unseen: below 0.5, {kind}": round(share, 3) for kind, share in judged(kinds, unseen).items()}, indent=1
        )
    )
    raw, bias = fit(rows, wanted)
    bias = shifted(rows, wanted, raw, bias)
    print(
        json.dumps(
            {f"all: below 0.5, {kind}": round(share, 3) for kind, share in judged(kinds, rows @ raw + bias).items()},
            indent=1,
        )
    )
    print("WEIGHTS = {")
    for name, weight in zip(names, raw, strict=True):
        print(f'    "{name}": {weight:.3f},')
    print(f"}}\nBIAS = {bias:.3f}")


if __name__ == "__main__":
    main()
