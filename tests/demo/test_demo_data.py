"""The demo shop's documents, database and questions fit together and stay as they were frozen."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sqlite3
import statistics
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pypdf
import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "config/demo"
EVALUATION = DEMO / "evaluation"
MANIFEST = json.loads((EVALUATION / "MANIFEST.json").read_text("utf-8"))
STAFF_ONLY = "site/staff/rota.html"
TEXT = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}t"
ENDINGS = ("ations", "ation", "ings", "ing", "edly", "ies", "ied", "ers", "est", "ed", "es", "er", "ly", "s", "e", "y")
STOP_WORDS = """
a about above after again all already also am an and any are around as at away back be because been before being
below between both but by can cannot could did do does doing done down each either else even ever every few for
from further get gets getting give given go goes going gone got had has have having he her here hers him his how i
if in into is it its itself just let like lot made make makes many may me might mine more most much must my need
new no nor not now of off on once one ones only onto or other our ours out over own per please put same shall she
should so some such take than that the their theirs them then there these they thing things this those through to
together too two under until up us very via was we were what when where which while who whom whose why will with
within without would yes yet you your yours
don doesn didn isn won wouldn couldn shouldn aren wasn ve ll re im whats wheres
"""
STOP = frozenset(STOP_WORDS.split())


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EVALUATION / name).read_text("utf-8").splitlines()]


ANSWERABLE, UNANSWERABLE, ACTIONS = (rows(f"{name}.jsonl") for name in ("answerable", "unanswerable", "actions"))


def stems(text: str) -> set[str]:
    """Content words without their ending; figures count as words."""
    found = set()
    for word in re.findall(r"[^\W_]+", text.lower()):
        if word in STOP or len(word) < 2:
            continue
        ending = next((end for end in ENDINGS if word.endswith(end) and len(word) - len(end) >= 3), "")
        found.add(word.removesuffix(ending))
    return found


def overlap(row: dict[str, Any]) -> float:
    """The share of the question's content words that its quotes contain."""
    asked = stems(row["question"])
    return len(asked & stems(" ".join(passage["quote"] for passage in row["passages"]))) / len(asked)


@cache
def text_of(document: str) -> str:
    """The document's text with single spaces: what a reader of that file type sees."""
    path = DEMO / document
    if path.suffix == ".pdf":
        text = " ".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    elif path.suffix == ".docx":
        with zipfile.ZipFile(path) as package:
            tree = ET.fromstring(package.read("word/document.xml"))
        text = " ".join(node.text or "" for node in tree.iter(TEXT))
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as stream:
            text = " ".join(cell for row in csv.reader(stream) for cell in row)
    else:
        text = path.read_text("utf-8")
    return " ".join(text.split())


def documents() -> set[str]:
    """Everything a customer's question may be answered from, relative to config/demo."""
    paths = [*DEMO.glob("documents/**/*.*"), *DEMO.glob("site/**/*.html"), *DEMO.glob("*.csv")]
    return {path.relative_to(DEMO).as_posix() for path in paths} - {STAFF_ONLY}


@cache
def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript((DEMO / "orders.sql").read_text("utf-8"))
    return connection


def query(sql: str, *values: Any) -> list[Any]:
    return database().execute(sql, values).fetchall()


def test_every_quote_stands_in_its_document() -> None:
    missing = [
        (row["id"], passage)
        for row in ANSWERABLE
        for passage in row["passages"]
        if passage["quote"] not in text_of(passage["document"])
    ]
    assert not missing


def test_ids_and_questions_are_unique_and_rows_complete() -> None:
    everything = [*ANSWERABLE, *UNANSWERABLE, *ACTIONS]
    assert not [name for name, count in Counter(row["id"] for row in everything).items() if count > 1]
    texts = Counter(row.get("question") or row["message"] for row in everything)
    assert not [text for text, count in texts.items() if count > 1]
    assert all(row["answers"] and row["passages"] and row["needs"] in {"all", "any"} for row in ANSWERABLE)
    assert all(row["reason"] for row in UNANSWERABLE)
    assert (len(ANSWERABLE) >= 130, len(UNANSWERABLE) >= 45, len(ACTIONS) >= 50) == (True, True, True)


def test_every_document_is_asked_for_or_a_named_distractor() -> None:
    used = {passage["document"] for row in ANSWERABLE for passage in row["passages"]}
    assert used <= documents()
    assert documents() - used == set(MANIFEST["distractors"])


def test_questions_are_worded_unlike_their_passages() -> None:
    english = [overlap(row) for row in ANSWERABLE if row["language"] == "en"]
    everything = [overlap(row) for row in ANSWERABLE]
    worst = sorted((round(overlap(row), 2), row["id"], row["question"]) for row in ANSWERABLE)[-5:]
    assert max(everything) <= 0.5, worst
    assert statistics.median(everything) <= 0.2
    assert statistics.median(english) <= 0.2


def test_about_one_question_in_ten_is_german_or_spanish() -> None:
    languages = Counter(row["language"] for row in ANSWERABLE)
    assert languages.keys() == {"en", "de", "es"}
    assert 0.08 <= 1 - languages["en"] / len(ANSWERABLE) <= 0.15


def test_frozen_files_are_unchanged() -> None:
    listed = set(MANIFEST["sha256"])
    frozen = documents() | {STAFF_ONLY, "orders.sql", "site/robots.txt", "site/sitemap.xml"}
    frozen |= {path.relative_to(DEMO).as_posix() for path in EVALUATION.glob("*.jsonl")}
    assert listed == frozen
    changed = [
        name
        for name, digest in MANIFEST["sha256"].items()
        if hashlib.sha256((DEMO / name).read_bytes()).hexdigest() != digest
    ]
    assert not changed


@pytest.mark.parametrize("name", ["wren-desk-lamp-manual.pdf", "trade-account-terms.docx"])
def test_typeset_documents_come_from_their_sources(tmp_path: Path, name: str) -> None:
    subprocess.run([sys.executable, ROOT / "scripts/make_demo_manual.py", tmp_path], check=True, capture_output=True)
    assert (tmp_path / name).read_bytes() == (DEMO / "documents" / name).read_bytes()


def test_the_manual_has_a_text_on_each_of_its_pages() -> None:
    pages = pypdf.PdfReader(DEMO / "documents/wren-desk-lamp-manual.pdf", strict=True).pages
    assert 4 <= len(pages) <= 8
    assert all(len(page.extract_text()) > 400 for page in pages)


class Links(HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [value or "" for key, value in attrs if tag == "a" and key == "href"]


def test_the_site_is_reachable_from_its_first_page() -> None:
    site = DEMO / "site"
    seen, waiting = set(), [site / "index.html"]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            waiting += [(page.parent / target).resolve() for target in Links(page.read_text("utf-8")).targets]
    assert seen == set(site.rglob("*.html"))
    listed = {node.text for node in ET.parse(site / "sitemap.xml").iter() if node.tag.endswith("loc")}
    origin = "https://marlowandpine.example/"
    assert listed == {origin + page.relative_to(site).as_posix() for page in seen} - {origin + "staff/rota.html"}
    assert "Disallow: /staff/" in (site / "robots.txt").read_text("utf-8")


def test_tables_have_the_promised_size_and_prices_agree() -> None:
    with (DEMO / "products.csv").open(encoding="utf-8", newline="") as stream:
        products = {row["sku"]: row for row in csv.DictReader(stream)}
    assert len(products) >= 30
    with (DEMO / "questions_and_answers.csv").open(encoding="utf-8", newline="") as stream:
        pairs = list(csv.DictReader(io.StringIO(stream.read())))
    assert len(pairs) >= 20
    assert all(row["question"] and row["answer"] and None not in row for row in pairs)
    for page in DEMO.glob("documents/products/*.md"):
        for price, sku in re.findall(
            r"^€(\d+)(?: for \w+| for the cover)? · article (MP-\w+)$", page.read_text("utf-8"), re.MULTILINE
        ):
            assert float(products[sku]["price_eur"]) == float(price), page.name
    for sku, cents, country in query(
        "SELECT sku, unit_cents, country FROM order_items JOIN orders ON number = order_number "
        "JOIN customers ON customers.id = customer_id"
    ):
        net = 1.23 if country == "CH" else 1.0
        assert cents == round(float(products[sku]["price_eur"]) * 100 / net), sku


def test_orders_add_up_and_belong_to_verified_customers() -> None:
    assert len(query("SELECT * FROM orders")) == 40
    assert len(query("SELECT * FROM customers WHERE email_verified_on <> ''")) == 10
    assert not query("SELECT number FROM orders o JOIN customers c ON c.id = customer_id WHERE c.email <> o.email")
    assert not query(
        "SELECT number FROM orders WHERE total_cents - postage_cents <> "
        "(SELECT sum(quantity * unit_cents) FROM order_items WHERE order_number = number)"
    )
    assert not query("SELECT number FROM orders WHERE delivered_on > (SELECT base_date FROM shop_calendar)")


def test_a_slot_is_booked_once() -> None:
    (slot,) = query("SELECT slot_id FROM bookings LIMIT 1")[0]
    with pytest.raises(sqlite3.IntegrityError):
        query("INSERT INTO bookings VALUES ('B-1', ?, 'Ada', 'ada@mail.example', 1, '2026-11-02', NULL)", slot)


def outcome(row: dict[str, Any]) -> str | None:
    """What the shop's database says that the request ends in."""
    arguments = row["expected"]["arguments"]
    if row["ask_back"]:
        return None
    if row["expected"]["tool"] == "book_appointment":
        free = query(
            "SELECT id FROM slots WHERE (service_id, day, starts_at) = (?, ?, ?) "
            "AND id NOT IN (SELECT slot_id FROM bookings)",
            *(arguments[key] for key in ("service", "date", "time")),
        )
        return "booked" if free else "alternatives"
    own = query("SELECT customer_id, email, status FROM orders WHERE number = ?", arguments["order_number"])
    if row["customer"] is None:
        return "verify" if own and own[0][1] == arguments["email"] else "unknown order"
    return str(own[0][2]) if own and own[0][0] == row["customer"] else "unknown order"


@pytest.mark.parametrize("row", ACTIONS, ids=lambda row: row["id"])
def test_actions_match_the_database(row: dict[str, Any]) -> None:
    expected = row["expected"]
    required = {"order_status": ["order_number"], "book_appointment": ["service", "date", "time"]}[expected["tool"]]
    assert row["ask_back"] == [name for name in required if name not in expected["arguments"]]
    assert outcome(row) == row["outcome"]
