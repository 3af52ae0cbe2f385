"""What the resources share: strict bodies, clean text fields, JSON answers, and cursors."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Annotated, Any

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from server.problems import Problem

PAGE_ROWS = 50
MOST_ROWS = 200
NEWEST = (math.inf, "")  # where the first page starts
CURSOR = "cursor: use the `next` value of the page before, unchanged."
ID = "{id:[0-9A-Za-z_.:-]{1,64}}"  # path parameter: nothing a store could choke on


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must not contain control characters")
    return text


def _address(text: str) -> str:
    name, at, host = text.rpartition("@")
    if not (name and at and host) or any(letter.isspace() for letter in text) or "@" in name:
        raise ValueError("must be an email address such as ana@example.com")
    return text.lower()


Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=254),
    AfterValidator(_printable),
    AfterValidator(_address),
]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]


class Body(BaseModel):
    """Base of everything a client sends: unknown fields are refused, so a typo is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # hundreds of them: built on first use


class Answer(BaseModel):
    """Base of everything the API answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Page(Body):
    """Query of a list: how many rows, and where the page before ended."""

    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = PAGE_ROWS
    cursor: Annotated[str, StringConstraints(max_length=2_500)] = ""  # a title of 300 letters, escaped, in base64

    @property
    def position(self) -> tuple[float, str]:
        """Time and id of the last row seen; raises a 422 problem for a cursor that is not ours."""
        return decode_cursor(self.cursor) if self.cursor else NEWEST


def encode_cursor(at: float, row_id: str) -> str:
    """An opaque position after a row; valid as long as the row's time does not change."""
    return base64.urlsafe_b64encode(json.dumps([at, row_id]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[float, str]:
    """The position inside a cursor; raises a 422 problem for a made-up one."""
    try:
        at, row_id = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        position = float(at), str(row_id)
    except (binascii.Error, ValueError, TypeError):
        position = NEWEST
    if not math.isfinite(position[0]):
        raise Problem(422, "Invalid input", CURSOR)
    return position


def encode_names(title: str, row_id: str) -> str:
    """An opaque position in a list by title."""
    return base64.urlsafe_b64encode(json.dumps([title, row_id]).encode()).decode().rstrip("=")


def decode_names(cursor: str) -> tuple[str, str]:
    """Title and id of the last row seen, empty for the first page; raises a 422 problem for a made-up cursor."""
    if not cursor:
        return "", ""
    try:
        title, row_id = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if isinstance(title, str) and isinstance(row_id, str):
            return title, row_id
    except (binascii.Error, ValueError, TypeError):
        pass
    raise Problem(422, "Invalid input", CURSOR)


def answer(model: BaseModel, status: int = 200) -> web.Response:
    """A model as a JSON answer."""
    return web.Response(text=model.model_dump_json(), status=status, content_type="application/json")


def load(text: str | None) -> dict[str, Any]:
    """A JSON object that a store kept as text; anything else reads as empty."""
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}
