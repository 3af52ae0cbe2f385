from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from tests.training.subjects import Answer, Row, everything, mostly, right, subject, wrong
from training.evaluate import tasks
from training.floors import Settings
from training.gate import decide_pairs
from training.pairs import pair_up
from training.report import write

LIVE = mostly("live", 0.7)
EVIL = "<script>alert(1)</script> & <b>"


def evil(row: Row) -> Answer:
    if row["language"] == "de":
        return {"content": EVIL, "tool_calls": [], "finish_reason": "stop"}
    return None if row["id"] == "g1" else right(row)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not any(
            value and value.startswith(("http:", "https:", "//")) for name, value in attrs if name in {"src", "href"}
        )


def reported(tmp_path: Path) -> tuple[dict[str, object], str]:
    asked = everything()
    subjects = {"base": subject(asked, wrong), "live": subject(asked, LIVE), "candidate": subject(asked, evil)}
    pairs, left_out = pair_up(subjects["live"], subjects["candidate"])
    page = write(decide_pairs(pairs, Settings(rounds=1_000), left_out), pairs, subjects, tmp_path / "run/report.json")
    return json.loads((tmp_path / "run/report.json").read_text()), page.read_text()


def test_the_report_says_what_the_decision_says(tmp_path: Path) -> None:
    found, _ = reported(tmp_path)
    assert found["verdict"] == "reject"
    assert {"slice", "metric", "value", "floor", "live"} <= found["reasons"][0].keys()  # type: ignore[index]
    assert found.keys() >= {"slices", "fixed", "broken", "subjects", "settings", "targets"}
    assert found["subjects"]["candidate"]["answered"] == found["subjects"]["live"]["answered"] - 1  # type: ignore[index]
    assert not list(tmp_path.rglob("*.partial"))


def test_the_page_stands_alone_and_shows_texts_as_texts(tmp_path: Path) -> None:
    _, page = reported(tmp_path)
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert tags.seen.count("svg") == 2
    assert "&lt;script&gt;" in page
    assert "prefers-color-scheme: dark" in page


def test_the_verdict_stands_first_and_losses_before_wins(tmp_path: Path) -> None:
    _, page = reported(tmp_path)
    places = [
        page.index(text)
        for text in ("<h1>Reject", "What was to be won", "What must not get worse", "Became worse", "Became better")
    ]
    assert places == sorted(places)
    assert re.search(r"✖ broken</td>\s*<td>language:de", page)


def test_nothing_to_compare_is_a_report_too(tmp_path: Path) -> None:
    asked = tasks([])
    nothing = subject(asked, right)
    page = write(decide_pairs([], Settings()), [], {"live": nothing}, tmp_path / "report.json")
    assert "Not enough evidence" in page.read_text()
    assert json.loads((tmp_path / "report.json").read_text())["targets"][0]["live"] is None
