"""The kinds of sources and what each needs to know; settings come from people, so they are checked when given."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from config.cron import is_cron
from config.section import Section
from server.knowledge.contract import KnowledgeError, SourceRefused

Kind = Literal["files", "site", "sql", "qa", "catalogue", "article"]
KINDS: tuple[str, ...] = get_args(Kind)
UPLOADS = frozenset({"files", "qa", "catalogue"})
"""Kinds that may also read files which people uploaded."""
MOST_ROWS = 50_000  # of one CSV, JSON or SQL source
NAME_CHARACTERS = 120
CRON_FIELDS = 5
READABLE = ("*.pdf", "*.docx", "*.html", "*.htm", "*.md", "*.markdown", "*.txt", "*.csv", "*.tsv")
_FORBIDDEN = ("/proc", "/sys", "/dev", "/run")
_URL = re.compile(r"https?://[^\s<>\"]+")


class NotThere(KnowledgeError):
    """There is no such source, document or version (any more)."""


class Changed(KnowledgeError):
    """Somebody else saved the document meanwhile; load it again and repeat the change."""


@dataclass(frozen=True, slots=True)
class Text:
    """A document that is text already: a row of a table, a question with its answer; ``text`` is Markdown."""

    uri: str
    url: str
    title: str
    text: str


class _Config(Section):
    """Base of what a source needs to know."""


def _public(value: str) -> str:
    if value and not _URL.fullmatch(value):
        message = "must be an absolute http(s) address such as https://shop.example/help/"
        raise ValueError(message)
    return value


def _readable(value: str) -> str:
    if not value:
        return value
    path = Path(value).expanduser().resolve()
    if path == Path("/") or any(path.is_relative_to(place) for place in _FORBIDDEN):
        message = f"{path} is not a folder of documents"
        raise ValueError(message)
    return str(path)


Address = Annotated[str, AfterValidator(_public)]
Place = Annotated[str, AfterValidator(_readable)]


class FilesConfig(_Config):
    """A folder or one file on this machine, or uploaded files where ``path`` is empty.

    ``include`` and ``exclude`` are file name patterns or paths below the folder; ``url`` is the public address of the
    folder, empty when customers cannot read the files themselves.
    """

    path: Place = ""
    include: tuple[str, ...] = READABLE
    exclude: tuple[str, ...] = ()
    url: Address = ""


class PairsConfig(_Config):
    """Questions with answers from a CSV or JSON file, from uploaded ones, or given one by one."""

    path: Place = ""
    question: str = "question"
    answer: str = "answer"
    url: Address = ""


class CatalogueConfig(_Config):
    """Products of a CSV or JSON file; ``url`` is a page's address with columns in braces, as in ``…/p/{sku}``.

    ``key`` and ``title`` name columns, empty = the first that looks right; ``labels`` renames columns for readers.
    """

    path: Place = ""
    key: str = ""
    title: str = ""
    description: str = ""
    url: Address = ""
    hide: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}


class SqlConfig(_Config):
    """Rows of a query, one document each; ``text`` are the columns that make the text.

    The password never stands in ``url``: ``password_env`` names an environment variable (FRONTDESK_SOURCE_…) or
    ``password_file`` a file that holds it.
    """

    url: str
    query: str
    key: str
    title: str
    text: tuple[str, ...]
    link: str = ""
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 10_000
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    password_env: str = ""
    password_file: str = ""

    @field_validator("url")
    @classmethod
    def _database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            message = "must be sqlite:///path/to/file.db or postgresql://user@host/database"
            raise ValueError(message)
        if urlsplit(value).password or "password=" in value:
            message = "holds a password; name it by password_env or password_file instead"
            raise ValueError(message)
        return value

    @field_validator("query")
    @classmethod
    def _reads(cls, value: str) -> str:
        text = value.strip().rstrip(";").strip()
        if not re.match(r"(select|with|values|table)\b", text, re.IGNORECASE) or ";" in text:
            message = "must be one select statement"
            raise ValueError(message)
        return text

    @field_validator("password_env")
    @classmethod
    def _named(cls, value: str) -> str:
        if value and not re.fullmatch(r"FRONTDESK_SOURCE_[A-Z0-9_]+", value):
            message = "must begin with FRONTDESK_SOURCE_, so that no other secret can be sent to a database"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _has_text(self) -> SqlConfig:
        if not self.text:
            message = "text must name at least one column"
            raise ValueError(message)
        return self

    def password(self) -> str:
        """The password, empty without one; raises SourceRefused when its place does not exist."""
        try:
            if self.password_env:
                return os.environ[self.password_env]
            return Path(self.password_file).read_text(encoding="utf-8").strip() if self.password_file else ""
        except (KeyError, OSError):
            place = self.password_env or self.password_file
            raise SourceRefused(f"the password of the database is not in {place}; set it and start again") from None


class ArticleConfig(_Config):
    """Articles are written here; there is nothing to set."""


CONFIGS: dict[str, type[_Config]] = {
    "files": FilesConfig,
    "qa": PairsConfig,
    "catalogue": CatalogueConfig,
    "sql": SqlConfig,
    "article": ArticleConfig,
}


def checked(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A source's settings with defaults filled in; raises SourceRefused naming what is wrong."""
    if kind not in KINDS:
        raise SourceRefused(f"{kind!r} is no kind of source; use one of {', '.join(KINDS)}")
    if kind == "site":  # its reader knows its own settings
        return {**config, "url": _site(config)}
    try:
        return CONFIGS[kind].model_validate(dict(config)).model_dump(mode="json")
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc'])) or kind}: {one['msg']}" for one in error.errors())
        raise SourceRefused(f"the {kind} source cannot be used: {faults}") from None


def _site(config: Mapping[str, Any]) -> str:
    url = str(config.get("url", ""))
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise SourceRefused("the site source cannot be used: url must be an address such as https://shop.example/")
    return url


def checked_cron(cron: str | None) -> str | None:
    """A cron text in UTC, or None; raises SourceRefused."""
    if not cron:
        return None
    if not is_cron(cron) or len(cron.split()) != CRON_FIELDS:
        raise SourceRefused(f"{cron!r} is not a schedule; write five fields such as '0 3 * * *' (03:00 UTC)")
    return cron


def checked_name(name: str) -> str:
    """A source's name; raises SourceRefused."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_CHARACTERS:
        raise SourceRefused(f"a source needs a name of at most {NAME_CHARACTERS} characters")
    return name
