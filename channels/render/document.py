"""CommonMark as one flat text with marks: what is shown, and over which stretches it is bold, a link, code or a quote.

A flat text can be cut anywhere and each piece still written with its marks opened and closed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_CHARACTERS = 20_000  # beyond this, and beyond MAX_SIGNS, a text is no answer: it is shown as it is written
MAX_SIGNS = 2_000  # characters that may be markup; reading them costs more than their number
MAX_CELLS = 5_000  # pipes of the fullest line times lines: what a table may grow to
MAX_NESTING = 60  # of quotes and lists; the parser drops what lies deeper
ZERO_WIDTH = "\u200b"
SCHEMES = ("http:", "https:", "mailto:", "tel:")
BETWEEN_CELLS = " · "
_SIGNS = re.compile(r"[*_`~\[\]<|&\\]")
_MENTION = re.compile(r"@(?=(everyone|channel|here))", re.IGNORECASE)
_ADDRESS = re.compile(r"[\w./]")  # before the sign it makes an address, which pings nobody
_SLACK_MENTION = re.compile(r"<(?=[@!#])")
_LANGUAGE = re.compile(r"[A-Za-z0-9+#.-]{1,32}")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


class Mark(NamedTuple):
    """A property of a stretch of text.

    ``kind`` is bold, italic, strike, code, link (value: the address), quote, pre (value: the language), heading
    (value: its level), table (value: its head in Markdown) or raw (Markdown's own signs, never escaped).
    """

    kind: str
    value: str = ""


Marks = tuple[Mark, ...]
QUOTE = Mark("quote")
RAW = Mark("raw")
_SPANS = {"strong": Mark("bold"), "em": Mark("italic"), "s": Mark("strike")}


class Document(NamedTuple):
    """The flat text; ``starts[i]`` is where a stretch with ``marks[i]`` begins, ``stops`` where paragraphs end."""

    text: str
    starts: Sequence[int]
    marks: Sequence[Marks]
    stops: Sequence[int]

    def at(self, position: int) -> int:
        """The number of the stretch that holds a position."""
        return bisect_right(self.starts, position) - 1

    def between(self, start: int, end: int) -> Iterator[tuple[str, Marks]]:
        """The stretches of a piece, cut to it."""
        number = self.at(start)
        while number < len(self.starts) and self.starts[number] < end:
            last = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
            yield self.text[max(start, self.starts[number]) : min(end, last)], self.marks[number]
            number += 1


class Form(NamedTuple):
    """What a style can show; ``fits`` tells whether an address or a table's head is short enough to be a mark."""

    markdown: bool  # tables, headings and lists keep Markdown's own signs
    fits: Callable[[str], bool]


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING})
    parser.enable(["table", "strikethrough"]).disable(["html_block", "html_inline", "reference"])
    parser.validateLink = lambda url: url.strip().lower().startswith(SCHEMES)  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


@lru_cache(maxsize=8)
def _tokens(text: str) -> Sequence[Token] | None:
    """The parsed text, None when it should be shown as written."""
    if len(text) > MAX_CHARACTERS or len(_SIGNS.findall(text)) > MAX_SIGNS:
        return None
    lines = text.split("\n")
    if max(line.count("|") for line in lines) * len(lines) > MAX_CELLS:
        return None
    tokens = _PARSER.parse(text)
    return None if any(token.level >= MAX_NESTING - 1 for token in tokens) else tokens


def read(text: str, sources: Sequence[tuple[str, str]], form: Form) -> Document:
    """Parse a text and append its numbered sources (title, address)."""
    tokens = _tokens(text)
    flat = Flat(form)
    if tokens is not None:
        flat.blocks(tokens)
    if not flat.length and text.strip():
        flat.literally(text)
    flat.sources(sources)
    return flat.document()


class Flat:
    """Collects the flat text, block by block."""

    def __init__(self, form: Form) -> None:
        self.length = 0
        self._form = form
        self._pieces: list[str] = []
        self._marks: list[Marks] = []
        self._stops: list[int] = []
        self._outer: Marks = ()  # of the block: quote, heading
        self._fresh = True  # nothing was said yet in this container, so no gap before the next block
        self._begun = False  # a bullet or a quote opened the line: code begins on the next
        self._indents: list[str] = []
        self._tight: list[bool] = []
        self._numbers: list[int | None] = []
        self._quotes = 0
        self._first = False  # the next item opens its list

    def document(self) -> Document:
        """Everything collected, with mentions made inert."""
        text = "".join(self._pieces)
        starts, position = [], 0
        for piece in self._pieces:
            starts.append(position)
            position += len(piece)
        begins = set(starts)
        found = [match.end() for match in _MENTION.finditer(text) if _pings(text, match, begins)]
        if self._form.markdown:
            found = sorted([*found, *(match.end() for match in _SLACK_MENTION.finditer(text))])
        if found:
            cuts = [0, *found, len(text)]
            text = ZERO_WIDTH.join(text[a:b] for a, b in pairwise(cuts))
            starts = [start + bisect_right(found, start - 1) for start in starts]
            self._stops = [stop + bisect_right(found, stop - 1) for stop in self._stops]
        return Document(text, starts, self._marks, self._stops)

    def literally(self, text: str) -> None:
        """A text as it is written."""
        for match in _BLANK_LINE.finditer(text):
            self._stops.append(self.length + match.start())
        self._say(text, ())

    def sources(self, sources: Sequence[tuple[str, str]]) -> None:
        """The numbered list at the end: a link where there is an address."""
        for number, (title, url) in enumerate(sources, 1):
            if number == 1:
                self._gap()
            else:
                self._say("\n", ())
            marks = (Mark("link", url),) if url.strip().lower().startswith(SCHEMES) and self._form.fits(url) else ()
            self._say(f"[{number}] ", ())
            self._say(" ".join(title.split()) or url, marks)
            if url and not marks:
                self._say(f" ({url})", ())

    def blocks(self, tokens: Sequence[Token]) -> None:
        """Every block of a parsed text, in order."""
        skip_to = 0
        for number, token in enumerate(tokens):
            if number < skip_to:
                continue
            if token.type == "table_open":
                skip_to = next(at for at in range(number, len(tokens)) if tokens[at].type == "table_close")
                self._table(tokens[number:skip_to])
            elif token.type.startswith(("bullet_list", "ordered_list", "list_item", "blockquote")):
                following = tokens[number + 1] if number + 1 < len(tokens) else token
                self._container(token, following)
            else:
                self._leaf(token)

    def _container(self, token: Token, following: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._numbers.append(None)
                self._first = True
            case "ordered_list_open":
                self._numbers.append(int(token.attrs.get("start", 1)))
                self._first = True
            case "bullet_list_close" | "ordered_list_close":
                self._numbers.pop()
            case "list_item_open":
                tight = following.type != "paragraph_open" or following.hidden
                if self._first:  # a list is as far from what stands before it as any block
                    self._gap()
                    self._tight.append(tight)
                else:
                    self._tight.append(tight)
                    self._gap()
                self._first = False
                self._item(token.markup)
            case "list_item_close":
                self._indents.pop()
                self._tight.pop()
                self._fresh = self._begun = False
            case "blockquote_open":
                self._gap(own_line=True)
                self._quotes += 1
                self._outer = (QUOTE,)
                self._fresh = self._begun = True
            case _:
                self._quotes -= 1
                self._outer = (QUOTE,) if self._quotes else ()
                self._fresh = self._begun = False

    def _item(self, markup: str) -> None:
        """A bullet, or the next number of its list."""
        number = self._numbers[-1]
        if number is None:
            sign = "- " if self._form.markdown else "• "
        else:
            sign = f"{number}{markup} "
            self._numbers[-1] = number + 1
        self._say(sign, (*self._outer, RAW))
        self._indents.append(" " * len(sign))
        self._fresh = self._begun = True

    def _leaf(self, token: Token) -> None:
        match token.type:
            case "paragraph_open":
                self._gap()
            case "heading_open":
                self._gap()
                level = token.tag.removeprefix("h")
                self._outer += (Mark("heading", level) if self._form.markdown else _SPANS["strong"],)
            case "heading_close":
                self._outer = self._outer[:-1]
            case "inline":
                self._inline(token.children or (), self._outer)
            case "fence" | "code_block":
                language = token.info.strip().partition(" ")[0]
                content = token.content.removesuffix("\n")
                if content.strip():
                    self._gap(own_line=True)
                    name = language if _LANGUAGE.fullmatch(language) else ""
                    self._say(content, (*self._outer, Mark("pre", name)))
            case "hr":
                self._gap(own_line=True)
                self._say("---" if self._form.markdown else "———", (*self._outer, RAW))

    def _gap(self, *, own_line: bool = False) -> None:
        """What separates the next block from the one before."""
        if self._fresh:
            if own_line and self._begun and self._indents and not self._quotes:
                self._say("\n", ())
            self._fresh = self._begun = False
            return
        indent = "" if own_line else "".join(self._indents)
        if self._tight and self._tight[-1]:
            self._say(f"\n{indent}", self._outer)
        else:
            if not self._indents and not self._outer:
                self._stops.append(self.length)
            self._say(f"\n\n{indent}", self._outer)

    def _inline(self, children: Sequence[Token], outer: Marks) -> None:
        """The text of one paragraph, heading or cell."""
        marks = list(outer)
        links: list[str] = []  # addresses shown behind their text because they are too long for a mark
        line = tuple(mark for mark in outer if mark.kind == "quote")
        for token in children:
            match token.type:
                case "text":
                    self._say(token.content, tuple(marks))
                case "softbreak" | "hardbreak":
                    self._say("\n" + "".join(self._indents), line)
                case "code_inline":
                    self._say(token.content, (*marks, Mark("code")))
                case "image":
                    self._image(token, tuple(marks))
                case "link_open":
                    links.append(self._link(token, marks))
                case "link_close":
                    self._close_link(links.pop(), marks)
                case kind if kind.endswith("_open"):
                    marks.append(_SPANS[kind.removesuffix("_open")])
                case kind:
                    self._unmark(marks, _SPANS[kind.removesuffix("_close")])

    def _link(self, token: Token, marks: list[Mark]) -> str:
        """Open a link; returns the address when it must be shown in words."""
        url = str(token.attrs["href"])
        if token.info == "auto":
            marks.append(RAW)
        elif self._form.fits(url):
            marks.append(Mark("link", url))
        else:
            return url
        return ""

    def _close_link(self, url: str, marks: list[Mark]) -> None:
        if url:
            self._say(f" ({url})", tuple(marks))
            return
        last = next(mark for mark in reversed(marks) if mark.kind in {"link", "raw"})
        if last.kind == "link" and self._marks and last not in self._marks[-1]:
            self._say(last.value, tuple(marks))  # nothing stood between the brackets
        self._unmark(marks, last)

    def _image(self, token: Token, marks: Marks) -> None:
        url = str(token.attrs["src"])
        alt = " ".join(token.content.split()) or url
        inside = any(mark.kind == "link" for mark in marks)
        if not inside and self._form.fits(url):
            self._say(alt, (*marks, Mark("link", url)))
        else:
            self._say(f"{alt} ({url})" if alt != url else url, marks)

    def _table(self, tokens: Sequence[Token]) -> None:
        """Rows under their head in Markdown; elsewhere each row as one line of "head: value"."""
        rows: list[list[Token]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(token)
        head, *body = rows
        self._gap(own_line=True)
        names = [" ".join(cell.content.split()) for cell in head]
        marked = f"| {' | '.join(_plain(cell) for cell in head)} |\n|{' --- |' * len(head)}"
        if self._form.markdown and body and self._form.fits(marked):
            self._rows(body, (*self._outer, Mark("table", marked)))
            return
        for number, row in enumerate(body or [head]):
            if number:
                self._say("\n", self._outer)
            self._line(row, [_plain(cell) for cell in head] if body else [""] * len(names))

    def _line(self, row: Sequence[Token], names: Sequence[str]) -> None:
        first = True
        for cell, name in zip(row, names, strict=False):
            if not cell.content.strip():
                continue
            self._say(("" if first else BETWEEN_CELLS) + (f"{name}: " if name else ""), self._outer)
            self._inline(cell.children or (), self._outer)
            first = False

    def _rows(self, rows: Sequence[Sequence[Token]], marks: Marks) -> None:
        for number, row in enumerate(rows):
            self._say("\n| " if number else "| ", (*marks, RAW))
            for cell in row:
                self._inline(cell.children or (), marks)
                self._say(" | " if cell is not row[-1] else " |", (*marks, RAW))

    def _unmark(self, marks: list[Mark], mark: Mark) -> None:
        if mark in marks:
            marks.pop(len(marks) - 1 - marks[::-1].index(mark))

    def _say(self, text: str, marks: Marks) -> None:
        if not text:
            return
        marks = tuple(dict.fromkeys(marks))  # bold inside bold is bold
        if self._marks and self._marks[-1] == marks and marks[-1:] != (RAW,):
            self._pieces[-1] += text
        else:
            self._pieces.append(text)
            self._marks.append(marks)
        self.length += len(text)


def _pings(text: str, match: re.Match[str], starts: set[int]) -> bool:
    """Whether a mention stands for itself; where a stretch begins, signs of markup may part it from its neighbours."""
    start, end = match.start(), match.end(1)
    if start not in starts and _ADDRESS.match(text[start - 1 : start]):
        return False
    return end in starts or not text[end : end + 1].isalnum()


def _plain(cell: Token) -> str:
    """A head cell's words without markup, safe inside a Markdown row."""
    words = "".join(child.content or " " for child in cell.children or ())
    return _MENTION.sub(f"@{ZERO_WIDTH}", _SLACK_MENTION.sub(f"<{ZERO_WIDTH}", " ".join(words.split())))
