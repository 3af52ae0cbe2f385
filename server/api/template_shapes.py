"""Shapes of approved messages: which ones an account has, and which one staff send."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from config.approved import LONGEST_VALUE
from server.api.shapes import Answer, Body

Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_VALUE)]


class TemplateRow(Answer):
    """One of them; ``text`` holds ``{{1}}``, ``{{2}}``, … for its variables, "" where only the platform knows it."""

    key: str
    language: str
    text: str
    variables: int


class TemplateBody(Body):
    """The chosen one with the values of its variables, in order."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    language: Annotated[str, StringConstraints(min_length=1, max_length=12)]
    values: Annotated[tuple[Value, ...], Field(max_length=20)] = ()
