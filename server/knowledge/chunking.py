"""Cuts a document into chunks: whole sections where they fit, each with the place it stands at. PURE once built."""

from __future__ import annotations

import hashlib
import importlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from tokenizers import Tokenizer

from server.knowledge.contract import Audience, Chunk

RECIPE = 1  # raised whenever equal documents give other chunks: everything is then indexed anew
MOST_TOKENS = 220  # of a piece for the packaged model, which reads 256 with title and headings
SMALL_SHARE = 0.4  # of the limit; a smaller section is put together with its neighbour
LONG_CHARACTERS = 4_000  # one block is cut at this length first: measuring holds the interpreter
ESTIMATE_CHARACTERS = 3.5  # per token, where the model's tokenizer is not at hand
SEPARATOR = " > "

_BLOCKS = MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])
_MARKS = re.compile(r"[*_`]{1,3}|\[([^\]]*)\]\([^)]*\)")
_RULE_ROW = re.compile(r"^\s*\|?[\s:|-]+\|[\s:|-]*$")


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under one heading; ``path`` is the headings from the outermost on."""

    path: tuple[str, ...]
    blocks: tuple[str, ...]
    tokens: int


class Chunker:
    """Cuts documents for one embedding model; ``tokens`` is the most a piece may have, its headings not counted."""

    def __init__(self, tokens: int, tokenizer: Tokenizer | None = None) -> None:
        self.tokens = min(tokens, MOST_TOKENS) if tokenizer is not None else tokens
        self.recipe = f"{RECIPE}:{self.tokens}"
        self._tokenizer = tokenizer
        self._splitter: Any = None

    def count(self, text: str) -> int:
        """Tokens of a text, start and end marks not counted."""
        if self._tokenizer is None:
            return max(1, round(len(text) / ESTIMATE_CHARACTERS)) if text else 0
        return sum(len(self._tokenizer.encode(part, add_special_tokens=False).ids) for part in _lengths(text))

    def cut(self, document_id: str, title: str, url: str, audience: Audience, text: str) -> list[Chunk]:
        """The document's chunks in order; equal input gives equal chunks with equal ids."""
        found: list[Chunk] = []
        for path, piece in self._pieces(text, title):
            heading = SEPARATOR.join(path)
            own = hashlib.sha256(f"{heading}\n{piece}".encode()).hexdigest()[:12]
            chunk = Chunk(f"{document_id}:{len(found)}:{own}", document_id, title, heading, piece, url, audience)
            digest = hashlib.sha256(embedded_text(chunk).encode()).hexdigest()
            found.append(Chunk(chunk.id, document_id, title, heading, piece, url, audience, digest))
        return found

    def _pieces(self, text: str, title: str) -> Iterator[tuple[tuple[str, ...], str]]:
        sections = [self._section(path, blocks) for path, blocks in read_sections(text, title)]
        for section in merge_small(sections, self.tokens):
            for piece in self._pack(section.blocks):
                yield section.path, piece

    def _section(self, path: tuple[str, ...], blocks: Sequence[str]) -> Section:
        return Section(path, tuple(blocks), sum(self.count(block) for block in blocks))

    def _pack(self, blocks: Sequence[str]) -> Iterator[str]:
        """Neighbouring blocks as long as they fit together; a longer block is cut, its first piece joins what waits."""
        held: list[str] = []
        for block in blocks:
            size = self.count(block)
            pieces = [block] if size <= self.tokens else list(self._cut_block(block))
            for piece in pieces:
                if held and self.count("\n\n".join([*held, piece])) > self.tokens:
                    yield "\n\n".join(held)
                    held = []
                held.append(piece)
        if held:
            yield "\n\n".join(held)

    def _cut_block(self, block: str) -> Iterator[str]:
        lines = block.splitlines()
        if len(lines) > 2 and "|" in lines[0] and _RULE_ROW.match(lines[1]):  # noqa: PLR2004 - header, rule, rows
            yield from self._cut_table("\n".join(lines[:2]), lines[2:])
            return
        for part in _lengths(block):
            yield from (piece for piece in self._splits(part) if piece.strip())

    def _cut_table(self, head: str, rows: list[str]) -> Iterator[str]:
        """Groups of rows of about one size, each below the header: a row alone does not say what its cells are."""
        base, sizes = self.count(head), [self.count(row) for row in rows]
        room = max(self.tokens - base, 1)
        target = sum(sizes) / math.ceil(sum(sizes) / room)
        held: list[str] = []
        used = 0
        for row, size in zip(rows, sizes, strict=True):
            if held and (used + size > room or used >= target):
                yield "\n".join([head, *held])
                held, used = [], 0
            if size > room:
                yield from self._splits(f"{head}\n{row}")
            else:
                held.append(row)
                used += size
        if held:
            yield "\n".join([head, *held])

    def _splits(self, text: str) -> list[str]:
        if self._splitter is None:
            module: Any = importlib.import_module("semantic_text_splitter")
            # Measured by our function: with a tokenizer of its own the splitter would hold the interpreter throughout.
            self._splitter = module.MarkdownSplitter.from_callback(self.count, self.tokens)
        return list(self._splitter.chunks(text))


def _lengths(block: str) -> Iterator[str]:
    """The block in parts of bounded length, cut at a space where there is one."""
    while len(block) > LONG_CHARACTERS:
        end = block.rfind(" ", LONG_CHARACTERS // 2, LONG_CHARACTERS)
        end = LONG_CHARACTERS if end < 0 else end
        yield block[:end]
        block = block[end:]
    yield block


def embedded_text(chunk: Chunk) -> str:
    """What a chunk's vector is made from: its place says what the text alone may leave out."""
    place = SEPARATOR.join(part for part in (chunk.title, chunk.heading) if part)
    return f"{place}\n{chunk.text}" if place else chunk.text


def read_sections(text: str, title: str = "") -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Headings from the outermost on, and the blocks below them; a first heading equal to the title is left out."""
    lines = text.split("\n")
    path: list[tuple[int, str]] = []
    blocks: list[str] = []
    heading_level = 0
    for token in _BLOCKS.parse(text):
        if token.type == "heading_open" and token.level == 0:
            if blocks:
                yield _names(path), blocks
                blocks = []
            heading_level = int(token.tag[1:])
        elif heading_level and token.type == "inline":
            path = [*(entry for entry in path if entry[0] < heading_level), (heading_level, plain(token.content))]
            if path == [(heading_level, title)]:
                path = []
            heading_level = 0
        elif token.level == 0 and token.map and token.type != "hr":
            block = "\n".join(lines[token.map[0] : token.map[1]]).strip()
            if block:
                blocks.append(block)
    if blocks:
        yield _names(path), blocks


def merge_small(sections: Sequence[Section], limit: int) -> list[Section]:
    """Neighbours put together while one of them is small and both fit; headings below the common place stay as text."""
    merged: list[Section] = []
    for section in sections:
        before = merged[-1] if merged else None
        small = before is not None and min(before.tokens, section.tokens) < limit * SMALL_SHARE
        if before is not None and small and before.tokens + section.tokens <= limit and _near(before, section):
            merged[-1] = _joined(before, section)
        else:
            merged.append(section)
    return merged


def _near(first: Section, second: Section) -> bool:
    """Whether one stands below the other or both below the same heading."""
    shared = _shared(first.path, second.path)
    return len(shared) >= min(len(first.path), len(second.path)) - 1 and (bool(shared) or len(second.path) <= 1)


def _joined(first: Section, second: Section) -> Section:
    path = _shared(first.path, second.path)
    blocks = (*_titled(first, path), *_titled(second, path))
    return Section(path, blocks, first.tokens + second.tokens)


def _titled(section: Section, path: tuple[str, ...]) -> tuple[str, ...]:
    rest = section.path[len(path) :]
    return (f"**{SEPARATOR.join(rest)}**", *section.blocks) if rest else section.blocks


def _shared(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    same = 0
    while same < min(len(first), len(second)) and first[same] == second[same]:
        same += 1
    return first[:same]


def _names(path: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(name for _, name in path if name)


def plain(text: str) -> str:
    """A heading without marks of emphasis and links."""
    return _MARKS.sub(lambda found: found[1] or "", text).strip()
