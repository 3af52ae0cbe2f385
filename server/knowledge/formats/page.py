"""HTML as Markdown: a page's main text without navigation, with headings, lists, tables and links."""

from __future__ import annotations

import importlib
import re
from typing import Any

from server.knowledge.formats.hints import Hints, Read, Unreadable, tidy
from server.knowledge.formats.plain import heading

MOST_DEPTH = 200  # elements within each other; browsers stop at 512, the libraries recurse
_THIN = 0.25  # of the body's text: the extraction lost too much
_CLOSING_CELL = re.compile(r"(\|[^\n]*\|) +$", re.MULTILINE)
_SITE_PART = re.compile(r"\s+[|·–—-]\s+[^|·–—]{1,60}$")  # noqa: RUF001 - dashes as titles have them
_DROP = ("script", "style", "noscript", "template", "svg", "nav", "footer", "form", "iframe", "object", "head")


def load() -> None:
    """Import the libraries."""
    importlib.import_module("trafilatura")
    importlib.import_module("lxml.html")
    load_markdown()


def load_markdown() -> None:
    """Import only what turns HTML into Markdown."""
    importlib.import_module("markdownify")


def read(data: bytes, hints: Hints) -> Read:
    """Title and Markdown; raises Unreadable for nesting without end and for pages without text."""
    trafilatura = importlib.import_module("trafilatura")
    tree = _tree(data)
    _check_depth(tree)
    whole = _body(tree)
    text = (
        trafilatura.extract(
            data,
            url=hints.url or None,
            output_format="markdown",
            include_tables=True,
            include_links=True,
            include_formatting=True,
            include_comments=False,
            favor_recall=True,
            deduplicate=False,
        )
        or ""
    )
    if len(text) < _THIN * len(" ".join(whole.text_content().split())):
        text = markdown(_html(whole))  # a page of links or a table only, which the extraction takes for navigation
    text = tidy(_CLOSING_CELL.sub(r"\1", text), hints.max_characters)
    if not text.strip():
        raise Unreadable("the page holds no text (perhaps it is made by a script)")
    return Read((_title(tree) or heading(text))[:300], text)


def markdown(html: str) -> str:
    """Clean HTML as Markdown; a table's first row becomes its header."""
    markdownify = importlib.import_module("markdownify")
    return str(
        markdownify.markdownify(
            html, heading_style="ATX", bullets="-", strip=["img"], table_infer_header=True, escape_misc=False,
            escape_asterisks=False, escape_underscores=False,
        )
    )  # fmt: skip


def _tree(data: bytes) -> Any:
    lxml = importlib.import_module("lxml.html")
    etree = importlib.import_module("lxml.etree")
    parser = lxml.HTMLParser(huge_tree=False, recover=True, remove_comments=True, **_encoding(data))
    try:
        tree = lxml.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        raise Unreadable("the page is empty or not HTML") from None
    return tree


def _encoding(data: bytes) -> dict[str, str]:
    """UTF-8 where the bytes are; else what the page itself says."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return {}
    return {"encoding": "utf-8"}


def _check_depth(tree: Any) -> None:
    depth = 0
    for event, _ in importlib.import_module("lxml.etree").iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MOST_DEPTH:
            raise Unreadable(f"the page nests more than {MOST_DEPTH} elements, as no page for people does")


def _body(tree: Any) -> Any:
    body = tree.find("body")
    body = tree if body is None else body
    for element in list(body.iter(*_DROP)):
        element.drop_tree()
    return body


def _html(element: Any) -> str:
    return str(importlib.import_module("lxml.html").tostring(element, encoding="unicode"))


def _title(tree: Any) -> str:
    """The first heading of the main part, else the page's title without the site's name."""
    top = tree.find(".//h1")
    if top is not None and (text := " ".join(top.text_content().split())):
        return text
    title = tree.findtext(".//title") or ""
    return _SITE_PART.sub("", " ".join(title.split()))
