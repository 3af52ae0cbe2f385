"""Product catalogues: one document for each product, in words that a customer would read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed
from server.knowledge.kinds import Text
from server.knowledge.records import address

_KEYS = ("sku", "id", "article", "article_number", "ean", "gtin", "handle", "key")
_TITLES = ("name", "title", "product", "product_name")
_DESCRIPTIONS = ("description", "body", "text", "details", "summary")
_SIGNS = {"eur": "€", "usd": "$", "gbp": "£", "jpy": "¥"}
_CODES = "|".join((*_SIGNS, "chf", "sek", "nok", "dkk", "pln", "czk", "cad", "aud", "nzd"))
_MONEY = re.compile(rf"^(?P<what>.+?)[ _(]+(?P<code>{_CODES})\)?$", re.IGNORECASE)
_AMOUNT = re.compile(r"-?\d+(?:[.,]\d+)*")
_YES = {"true": "yes", "false": "no", "y": "yes", "n": "no"}


def products(rows: list[dict[str, str]], config: Mapping[str, Any]) -> list[Text | Failed]:
    """A document for each row, a fault for one without key or name; raises SourceRefused when columns are missing."""
    found = enumerate((product(row, config) for row in rows), 1)
    return [text or Failed(f"row {number}", f"row {number} has no key or no name") for number, text in found]


def product(row: Mapping[str, str], config: Mapping[str, Any]) -> Text | None:
    """A product as a document, None without a key or a name; raises SourceRefused when there are no such columns."""
    key, title = _find(row, config["key"], _KEYS, "key"), _find(row, config["title"], _TITLES, "title")
    if not row[key] or not row[title]:
        return None
    described = config["description"] or next((name for name in row if name.casefold() in _DESCRIPTIONS), "")
    lines = [
        line
        for name, value in row.items()
        if value.strip() and name not in {title, described, *config["hide"]}
        for line in [_line(name, value, config["labels"])]
    ]
    description = row.get(described, "").strip()
    parts = [f"# {row[title]}", *([description] if description else []), "\n".join(lines)]
    return Text(f"product:{row[key]}", address(config["url"], row), row[title][:300], "\n\n".join(parts).strip())


def _find(row: Mapping[str, str], wanted: str, usual: tuple[str, ...], what: str) -> str:
    found = wanted if wanted in row else ""
    if not wanted:
        found = next((name for guess in usual for name in row if name.casefold().replace(" ", "_") == guess), "")
    if not found:
        raise SourceRefused(f"no column for the {what} of a product; set {what} to one of {', '.join(row)}")
    return found


def _line(name: str, value: str, labels: Mapping[str, str]) -> str:
    """A value beside what it is: ``price_eur: 289.00`` becomes ``Price: €289.00``."""
    money = _MONEY.match(name)
    label = labels.get(name) or _label(money["what"] if money else name)
    value = " ".join(value.split())
    if money and _AMOUNT.fullmatch(value):
        sign = _SIGNS.get(money["code"].lower())
        return f"- {label}: {sign}{value}" if sign else f"- {label}: {value} {money['code'].upper()}"
    many = ", ".join(part.strip() for part in value.split("|") if part.strip())
    return f"- {label}: {_YES.get(many.lower(), many)}"


def _label(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ").strip()
    return words.upper() if words.lower() in {"sku", "ean", "gtin", "id"} else words[:1].upper() + words[1:]
