"""``frontdesk eval``: how good the assistant is on questions whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from config.knowledge import Knowledge
from server.commands import shared
from server.commands.failure import MISUSED, Failure
from server.knowledge.contract import KnowledgeError
from server.knowledge.evaluation import DEMO, HALVES, Miss, Report, Score, demo_documents, evaluate
from server.knowledge.offline import Offline, read_folder
from server.knowledge.questions import Question, read
from server.knowledge.vectors import open_embeddings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

DEMO_SET = "demo"
HEADER = f"{'':<10} {'questions':>9} {'recall@1':>9} {'recall@5':>9} {'recall@10':>9} {'MRR':>7}"


@app.callback()
def evaluation() -> None:
    """Measure on questions whose answers are known."""


@app.command()
def knowledge(
    questions: Annotated[
        str, typer.Option("--set", help="demo, or a question file: one JSON object per line.")
    ] = DEMO_SET,
    documents: Annotated[
        Path | None, typer.Option(help="Folder of the documents; for a file of your own.", file_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,  # noqa: FBT002 - a flag
    misses: Annotated[bool, typer.Option(help="List the questions that went wrong.")] = True,  # noqa: FBT002 - a flag
) -> None:
    """Ask every question of a file and print recall, reciprocal rank, and when the assistant would give up."""
    settings = shared.settings().knowledge
    asked, folder, wanted = _chosen(questions, documents)
    try:
        report = shared.run(_evaluate(settings, asked, folder, wanted))
    except KnowledgeError as error:
        raise Failure(str(error), "frontdesk eval knowledge --help") from None
    if as_json:
        shared.say(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        show(report, misses=misses)


def _chosen(questions: str, documents: Path | None) -> tuple[list[Question], Path, Callable[[str], bool]]:
    try:
        if questions == DEMO_SET:
            names = ("answerable.jsonl", "unanswerable.jsonl")
            asked = [question for name in names for question in read(DEMO / "evaluation" / name)]
            return asked, documents or DEMO, bool if documents else demo_documents
        if documents is None or not documents.is_dir():
            raise Failure("a question file needs its documents", "add --documents FOLDER", code=MISUSED)
        return read(Path(questions)), documents, bool
    except KnowledgeError as error:
        raise Failure(str(error), "frontdesk eval knowledge --help", code=MISUSED) from None


async def _evaluate(settings: Knowledge, asked: list[Question], folder: Path, wanted: Callable[[str], bool]) -> Report:
    embeddings = open_embeddings(settings)
    try:
        await embeddings.warm()
        index = Offline(embeddings, settings, embeddings.tokenizer)
        await index.add(await read_folder(folder, settings, wanted))
        return await evaluate(index, asked, settings)
    finally:
        await embeddings.close()


def show(report: Report, *, misses: bool) -> None:
    """Print a report for people."""
    shared.say(f"{report.documents} documents, {report.chunks} passages")
    shared.say(HEADER)
    for half in HALVES:
        shared.say(_line(half, report.scores[half]))
    if len(report.languages) > 1:
        for language, score in report.languages.items():
            shared.say(_line(f"  {language}", score))
    for share, what in ((report.abstention, "unanswerable"), (report.false_abstention, "answerable")):
        if share is not None:
            shared.say(f"given up below confidence {report.threshold}: {share:.3f} of the {what} questions")
    if report.unknown:
        shared.say(f"{len(report.unknown)} passages are not in the documents, such as {report.unknown[0]}")
    if misses:
        for miss in report.misses:
            _tell(miss)


def _line(name: str, score: Score) -> str:
    return (
        f"{name:<10} {score.questions:>9} {score.recall_1:>9.3f} {score.recall_5:>9.3f} {score.recall_10:>9.3f} "
        f"{score.mrr:>7.3f}"
    )


def _tell(miss: Miss) -> None:
    place = f"rank {miss.rank}" if miss.rank else "no rank"
    shared.say(f"{miss.why}: {miss.id} ({miss.language}, {place}, confidence {miss.confidence:.2f}) {miss.question}")
    if miss.why == "not found":
        shared.say(f"    found instead: {'; '.join(miss.found)}")
