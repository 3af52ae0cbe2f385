"""Question-answer pairs: one document for each question."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed
from server.knowledge.kinds import Text


def pairs(rows: list[dict[str, str]], config: Mapping[str, Any]) -> list[Text | Failed]:
    """A document for each row, a fault for one that lacks a half; raises SourceRefused when columns are missing."""
    texts: list[Text | Failed] = []
    for number, row in enumerate(rows, 1):
        question, answer = _column(row, config["question"]), _column(row, config["answer"])
        if question and answer:
            texts.append(pair(question, answer, config["url"]))
        else:
            texts.append(Failed(f"row {number}", f"row {number} has no {'answer' if question else 'question'}"))
    return texts


def pair(question: str, answer: str, url: str = "") -> Text:
    """A pair as a document: the question is its title and heading, so that a passage always shows both."""
    question = " ".join(question.split())
    uri = f"pair:{hashlib.sha256(question.casefold().encode()).hexdigest()[:24]}"
    return Text(uri, url, question[:300], f"# {question}\n\n{answer.strip()}")


def _column(row: Mapping[str, str], name: str) -> str:
    """A column by its name, whatever its case; raises SourceRefused when the table has none of that name."""
    for column, value in row.items():
        if column.casefold() == name.casefold():
            return value.strip()
    raise SourceRefused(f"the table has no column {name!r}; its columns are {', '.join(row) or 'none'}")
