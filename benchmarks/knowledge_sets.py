"""Retrieval over public sets: recall@k and MRR of the lexical half, the vector half and both together.

    python -m benchmarks.knowledge_sets [--data ../shared/data] [--set squad2] [--keep FOLDER] [--json]

Each set is written as documents and a question file into a temporary folder and goes through the same code as
``frontdesk eval knowledge``. Only the parts that are meant for development are read.

squad2       every paragraph is a document; answerable questions ask for theirs, the others count as unanswerable
dstc11-desk  every FAQ entry and review sentence is a document; the place is named before the question, as the
             conversation had named it; one of the entries that the reference answer used suffices
tau2         698 internal documents of a bank; the customer's first sentence (or the start of the scenario) asks for
             one of the documents that the task needs
banking77    twenty questions of each intent are documents, five others ask for one of them
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from config.knowledge import Knowledge
from server.knowledge.evaluation import HALVES, Score, evaluate
from server.knowledge.offline import Offline, read_folder
from server.knowledge.questions import read
from server.knowledge.vectors import open_embeddings

Row = dict[str, Any]
Converted = tuple[dict[str, str], list[Row]]

MARGIN = 0.01
BANKING_DOCUMENTS = 20  # questions of an intent that are indexed
BANKING_QUESTIONS = 5  # others that ask
OPENING = re.compile(r'"((?:Hi|Hello|Hey|I |My |Can|Could|What|How)[^"]{30,600})"')
SCENARIO_CHARS = 500
STAGING = re.compile(r"You are playing the role[^.]*\.\s*|Your (?:character|user ID|phone|date of birth)[^.]*\.\s*")


def jsonl(path: Path) -> Iterator[Row]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def parts(row: Row) -> tuple[dict[int, str], str]:
    """The numbered sources and the question of a grounded row."""
    text = row["messages"][-1]["content"]
    sources, _, question = text.rpartition("\n\nQuestion: ")
    pieces = re.split(r"(?m)^\[(\d+)\] ", sources)
    return {int(pieces[i]): pieces[i + 1].strip() for i in range(1, len(pieces) - 1, 2)}, question.strip()


def asked(number: int, name: str, question: str, documents: list[str], *, answerable: bool = True) -> Row:
    passages = [{"document": document, "quote": ""} for document in documents]
    return {
        "id": f"{name}-{number:04}", "question": question, "language": "en", "needs": "any",
        "passages": passages if answerable else [], "answerable": answerable,
    }  # fmt: skip


def squad2(data: Path) -> Converted:
    documents: dict[str, str] = {}
    names: dict[str, str] = {}
    questions = []
    for part in ("dev", "train"):
        for row in jsonl(data / "squad2" / f"{part}.jsonl"):
            title = row["title"].replace("_", " ")
            sources, question = parts(row)
            for text in sources.values():
                if text not in names:
                    names[text] = f"{row['title']}-{len(names):04}.md".replace("/", "-")
                    documents[names[text]] = f"# {title}\n\n{text}\n"
            answerable = row["target"]["kind"] == "answer"
            cited = [names[sources[row["target"]["cite"]]]] if answerable else []
            questions.append(asked(len(questions), "squad2", question, cited, answerable=answerable))
    return documents, questions


def dstc11(data: Path) -> Converted:
    documents: dict[str, str] = {}
    names: dict[str, str] = {}
    questions = []
    for part in ("dev", "train"):
        for row in jsonl(data / "dstc11-desk" / f"{part}.jsonl"):
            sources, question = parts(row)
            for text in sources.values():
                if text not in names:
                    place, _, rest = text.partition(": ")
                    names[text] = f"{row['entity']}-{len(names):05}.md"
                    documents[names[text]] = f"# {place}\n\n{rest.removeprefix('Guest review: ')}\n"
            if row["target"]["kind"] == "answer":
                cited = [number for number in row["target"]["cites"] if number in sources]
                place = sources[cited[0]].partition(": ")[0]
                gold = [names[sources[number]] for number in cited]
                questions.append(asked(len(questions), "dstc11", f"{place}: {question}", gold))
    return documents, questions


def tau2(data: Path) -> Converted:
    folder = data / "tau2" / "banking_knowledge"
    documents = {
        f"{row['id']}.md": f"# {row['title']}\n\n{row['content']}\n" for row in jsonl(folder / "documents.jsonl")
    }
    questions = []
    for row in jsonl(folder / "tasks.jsonl"):
        scenario = row["user_scenario"]["instructions"]
        opening = OPENING.search(scenario)
        question = " ".join((opening[1] if opening else STAGING.sub("", scenario)[:SCENARIO_CHARS]).split())
        gold = [f"{name}.md" for name in row["required_documents"] if f"{name}.md" in documents]
        questions.append(asked(len(questions), "tau2", question, gold))
    return documents, questions


def banking77(data: Path) -> Converted:
    intents: dict[str, list[str]] = defaultdict(list)
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            intents[row["category"]].append(" ".join(row["text"].split()))
    documents: dict[str, str] = {}
    questions = []
    for intent, texts in sorted(intents.items()):
        own = [f"{intent.replace('/', '-').replace('?', '')}-{number:02}.md" for number in range(BANKING_DOCUMENTS)]
        documents |= dict(zip(own, [f"{text}\n" for text in texts], strict=False))
        known = [name for name in own if name in documents]
        for text in texts[BANKING_DOCUMENTS : BANKING_DOCUMENTS + BANKING_QUESTIONS]:
            questions.append(asked(len(questions), "banking77", text, known))
    return documents, questions


async def measure(name: str, folder: Path, questions: Path) -> dict[str, Any]:
    """The figures of one set; its index is built with the configured parts."""
    settings = Knowledge()
    embeddings = open_embeddings(settings)
    try:
        await embeddings.warm()
        index = Offline(embeddings, settings, embeddings.tokenizer)
        began = time.perf_counter()
        await index.add(await read_folder(folder, settings))
        indexed_s = time.perf_counter() - began
        report = await evaluate(index, read(questions), settings)
    finally:
        await embeddings.close()
    best = {kind: max(getattr(report.scores[half], kind) for half in HALVES[:2]) for kind in ("recall_5", "mrr")}
    fused = {kind: getattr(report.scores["fused"], kind) for kind in best}
    return {
        "set": name, "passages": report.chunks, "indexed_s": round(indexed_s, 1),
        "scores": {half: vars_of(report.scores[half]) for half in HALVES},
        "holds": {kind: bool(fused[kind] >= best[kind] - MARGIN) for kind in best},
        "abstention": report.abstention, "false_abstention": report.false_abstention,
    }  # fmt: skip


def vars_of(score: Score) -> dict[str, float]:
    return {name: getattr(score, name) for name in ("questions", "recall_1", "recall_5", "recall_10", "mrr")}


def show(figures: dict[str, Any]) -> None:
    print(f"{figures['set']}: {figures['passages']} passages, indexed in {figures['indexed_s']} s")
    for half, score in figures["scores"].items():
        print(f"  {half:<8}", " ".join(f"{name} {value:.3f}" for name, value in score.items() if name != "questions"))
    print(f"  fused >= better half - {MARGIN}: {figures['holds']}")


SETS: dict[str, Callable[[Path], Converted]] = {
    "squad2": squad2, "dstc11-desk": dstc11, "tau2": tau2, "banking77": banking77,
}  # fmt: skip


def write(converted: Converted, folder: Path) -> Path:
    """Write documents and questions; returns the question file."""
    documents, questions = converted
    texts = folder / "documents"
    texts.mkdir(parents=True)
    for name, text in documents.items():
        (texts / name).write_text(text, encoding="utf-8")
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in questions), encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--set", choices=[*SETS], action="append", default=[])
    parser.add_argument("--keep", type=Path, help="write documents and questions here, and leave them there")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.set or SETS:
            folder = (arguments.keep or Path(scratch)) / name
            questions = write(SETS[name](arguments.data), folder)
            figures = asyncio.run(measure(name, folder / "documents", questions))
            print(json.dumps(figures)) if arguments.json else show(figures)


if __name__ == "__main__":
    main()
