"""What copies of a customer's address look like, and what they are taken out of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from server.customers import traces

NORA: dict[str, Any] = {
    "channel": "whatsapp", "verified": 1, "address": "+353871234589",
    "profile": json.dumps({"email": "nora@mail.example", "locale": "en", "username": "delivery", "team": "T0AAAAAAA"}),
}  # fmt: skip


def test_only_what_names_one_person_is_searched_for() -> None:
    site = {**NORA, "channel": "web", "address": "user:100042", "profile": "{}"}
    terms = traces.terms_of(["Nora Quinn", "Nora", "Support"], [NORA, site], ["", "nora.q@work.example"])
    assert terms == ["nora.q@work.example", "nora@mail.example", "+353871234589", "Nora Quinn"]


def test_whole_words_go_whatever_their_case() -> None:
    terms = ["nora@mail.example", "Nora Quinn"]
    text = "Ask NORA QUINN (Nora@Mail.example), not Leonora Quinn or nora@mail.examples."
    assert traces.without(text, terms) == "Ask [removed] ([removed]), not Leonora Quinn or nora@mail.examples."


async def test_folders_of_runs_lose_lines_and_what_can_be_made_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "dataset").mkdir(parents=True)
    (run / "adapter").mkdir()
    rows = [{"id": "e1", "customer": "c1", "text": "a"}, {"id": "e2#1", "text": "b"}, {"id": "e3", "text": "kept"}]
    (run / "examples.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (run / "notes.jsonl").write_text(json.dumps({"text": "write to Nora Quinn"}) + "\n" + json.dumps({"text": "x"}))
    (run / "report.json").write_text('{"first": "Nora Quinn"}')
    (run / "adapter" / "tokenizer.json").write_text('"Nora Quinn"')
    (run / "train.log").write_text("nothing")
    counts = await traces.clear_runs({run}, ["c1"], {"e2"}, ["Nora Quinn"])
    assert counts == {"dataset_lines": 2, "run_files": 3}
    assert [json.loads(line)["id"] for line in (run / "examples.jsonl").read_text().splitlines()] == ["e3"]
    assert (run / "notes.jsonl").read_text().strip() == '{"text": "x"}'
    assert not (run / "report.json").exists()
    assert (run / "adapter" / "tokenizer.json").exists()
    assert (run / "train.log").exists()


async def test_letters_and_the_shops_own_files(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1.txt").write_text("To: nora@mail.example\n\nYour code")
    (tmp_path / "mail" / "2.txt").write_text("To: tom@mail.example\n\nYour code")
    (tmp_path / "price list.csv").write_text("Nora@Mail.example;3")
    assert await traces.clear_letters(tmp_path / "mail", ["nora@mail.example"]) == 1
    assert await traces.clear_letters(tmp_path / "nowhere", ["nora@mail.example"]) == 0
    assert [path.name for path in (tmp_path / "mail").iterdir()] == ["2.txt"]
    assert await traces.still_named([tmp_path, tmp_path / "nowhere"], ["nora@mail.example"]) == ["price list.csv"]
