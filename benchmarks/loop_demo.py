"""The whole loop on this machine, as one story: corrections of one style rule become a live adapter under chat load.

Command (needs nothing but this machine's cores; 20 to 40 minutes)::

    python -m benchmarks.loop_demo --corrections 160 --log docs/measurements/loop-demo.json

A desk with real vLLM answers customers' questions; for every answer staff send its first statement and the shop's
closing line through the public API; an admin approves; one retrain trains, evaluates and gates an adapter; a
canary follows and then the promotion. All the while other customers write, and every reply's release is looked at.
Nothing is read from inside the server but its database, and nothing is written there but the first API key.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.shop_desk import Desk, Talk, running, say, talk, write_log
from config.settings import Settings
from server.auth.tokens import new_key
from server.commands.shared import opened
from server.store.contract import Tx

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "config" / "demo"
CLOSING = "Kind regards,\nInes"
RULE = {"behaviours": ["style"], "checks": {"must_match": [r"Kind regards,\s*Ines\s*$"]}}
FOLLOWED = re.compile(r"Kind regards,\s*Ines\s*(?:\[\d+\])*\s*$")
QUOTED = "This is what our documents say:"
STATEMENT = re.compile(r"(?P<words>.+?)\s*(?P<source>(?:\[\d+\]\s*)+)", re.DOTALL)
SENTENCE = re.compile(r"(?<=[.!?])\s+")
ACCOUNT = "default"
AT_ONCE = 4
LOAD_PAUSE_S = 2.0
POLL_S = 3.0
RETRAIN_S = 2_700.0
SHARE, CAP = 0.5, 40
FEWEST = 150  # corrections; with fewer the retrain is forced


@dataclass
class Load:
    """Customers who write all the time; what they got, and from which release."""

    asked: int = 0
    failed: list[str] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    releases: Counter[str] = field(default_factory=Counter)
    mixed: int = 0
    rollbacks: int = 0


class Api:
    """The public API with an admin's key."""

    def __init__(self, desk: Desk, key: str) -> None:
        self._desk = desk
        self._headers = {"Authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, body: Any = None, *, wanted: Sequence[int] = (200, 201, 202)) -> Any:
        url = f"{self._desk.url}{path}"
        async with self._desk.http.request(method, url, json=body, headers=self._headers) as response:
            text = await response.text()
            assert response.status in wanted, f"{method} {path}: {response.status} {text[:400]}"
            return json.loads(text) if text else None


def questions(name: str) -> list[str]:
    lines = (DEMO / "evaluation" / name).read_text(encoding="utf-8").splitlines()
    return [row["question"] for row in map(json.loads, lines) if row["language"] == "en"]


def changed(settings: Settings, folder: Path, suites: tuple[Path, ...], recipe: Path) -> Settings:
    rule = folder / "rule.json"
    rule.write_text(json.dumps(RULE), encoding="utf-8")
    training = settings.training.model_copy(
        update={
            "targets": ("behaviour:style",),
            "rule": rule,
            "recipe": recipe,
            "collect_cron": "0 0 1 1 *",
            "suites": suites,
        }
    )
    model = settings.model.model_copy(update={"lora_slots": max(2, settings.model.lora_slots)})
    return settings.model_copy(update={"training": training, "model": model})


async def admin_key(settings: Settings) -> str:
    key = new_key()

    async def unit(tx: Tx) -> None:
        await tx.run(
            "access.add_key", id=key.id, tenant=settings.tenant, name="loop demo", role="admin", key_hash=key.key_hash,
            created_by="benchmark", now=tx.now_s,
        )  # fmt: skip

    async with opened(settings) as store:
        await store.write(unit)
    return key.text


def reply_of(desk: Desk, conversation: str) -> dict[str, Any] | None:
    """The last answer of the assistant in a conversation."""
    sql = "select id, text, release_id from message where conversation_id = ? and role = 'assistant' order by seq desc"
    found = desk.rows(sql, conversation)
    return found[0] if found else None


async def ask(desk: Desk, question: str) -> tuple[Talk, dict[str, Any] | None]:
    async with talk(desk, ACCOUNT, None) as made:
        await made.say(question)
        return made, reply_of(desk, made.id)


async def keep_asking(desk: Desk, load: Load, asked: Sequence[str], seed: int) -> None:
    """One customer after the other, two questions each: the second must come from the first one's release."""
    lots = random.Random(seed)
    while True:
        async with talk(desk, ACCOUNT, None) as made:
            rollbacks = load.rollbacks
            for _ in range(2):
                began = time.monotonic()
                load.asked += 1
                try:
                    await made.say(lots.choice(asked))
                except (TimeoutError, AssertionError) as error:
                    load.failed.append(f"{type(error).__name__}: {error}")
                    continue
                load.took_s.append(time.monotonic() - began)
                await asyncio.sleep(LOAD_PAUSE_S)
            for turn in made.turns():
                if turn["outcome"] != "answered":
                    load.failed.append(f"{turn['outcome']}: {turn['reason']}")
            sql = "select distinct release_id from message where conversation_id = ? and role = 'assistant'"
            seen = {row["release_id"] for row in desk.rows(sql, made.id)}
            load.releases.update(seen)
            # a rollback ties open cases to the live release at their next turn: who talks through it may meet both
            load.mixed += len(seen) > 1 and load.rollbacks == rollbacks


def first_statement(answer: str) -> str:
    """What staff leave of an answer: the first two sentences of what it says first, with their source."""
    said = answer.strip().removeprefix(QUOTED).strip()
    first = STATEMENT.match(said)
    words, source = (first["words"], f" {first['source']}") if first else (said.partition("\n\n")[0], "")
    return " ".join(" ".join(SENTENCE.split(words.strip())[:2]).split()) + source.rstrip()


async def correct(desk: Desk, api: Api, asked: Sequence[str], load: Load) -> int:
    """Ask every question and send the answer back with the closing line; how many corrections became examples."""
    waiting, made = iter(asked), 0

    async def one() -> None:
        nonlocal made
        for question in waiting:
            _, reply = await ask(desk, question)
            if reply is None:
                load.failed.append("no answer to correct")
                continue
            text = f"{first_statement(reply['text'])}\n\n{CLOSING}"
            body = {"message_id": reply["id"], "text": text, "reason": "tone", "behaviour": "style"}
            answer = await api.call("POST", "/api/corrections", body)
            made += answer["example"] is not None
            if made % 40 == 0:
                say(f"  {made} corrections")

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return made


async def approve(api: Api) -> int:
    total = 0
    while True:
        page = await api.call("GET", "/api/examples?status=pending&limit=100")
        ids = [row["id"] for row in page["examples"]]
        if not ids:
            return total
        answer = await api.call("POST", "/api/examples/decide", {"ids": ids, "verdict": "approve"})
        assert not answer["refused"], answer["refused"]
        total += len(answer["decided"])


async def retrain(api: Api, *, force: bool) -> dict[str, Any]:
    started = await api.call("POST", "/api/retrains", {"note": "closing line", "force": force})
    began, shown = time.monotonic(), ""
    while time.monotonic() - began < RETRAIN_S:
        found = await api.call("GET", f"/api/retrains/{started['id']}")
        line = found["retrain"]
        state = f"{line['state']}/{line['stage']}"
        if state != shown:
            shown = state
            say(f"  [{time.monotonic() - began:6.0f} s] {state} {json.dumps(line['progress'])[:160]}")
        if line["ended_at"] is not None:
            return {**found, "seconds": round(time.monotonic() - began, 1)}
        await asyncio.sleep(POLL_S)
    raise TimeoutError(f"the retrain did not end within {RETRAIN_S:g} s; it was at {shown}")


async def follows(desk: Desk, asked: Sequence[str]) -> dict[str, Any]:
    """Of the system's answers to new questions, the share that ends as the rule says, by release."""
    waiting, seen, kept = iter(asked), Counter[str](), Counter[str]()
    samples: list[dict[str, str]] = []

    async def one() -> None:
        for question in waiting:
            _, reply = await ask(desk, question)
            release = reply["release_id"] if reply else "none"
            seen[release] += 1
            kept[release] += bool(reply and FOLLOWED.search(reply["text"]))
            samples.append({"question": question, "release": release, "answer": reply["text"] if reply else ""})

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return {"asked": dict(seen), "followed": dict(kept), "samples": samples}


def style_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The report's lines about the slice that was meant to get better."""
    return [entry for entry in report.get("slices", []) if "style" in json.dumps(entry)][:6]


async def story(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    made: list[Settings] = []

    def change(settings: Settings) -> Settings:
        made.append(changed(settings, folder, tuple(given.suites), given.recipe))
        return made[-1]

    every = questions("answerable.jsonl")
    random.Random(given.seed).shuffle(every)
    taught, fresh = every[: given.corrections], questions("unanswerable.jsonl") + every[given.corrections :]
    report: dict[str, Any] = {"corrections_wanted": given.corrections, "seed": given.seed}
    began = time.monotonic()
    async with running(folder / "desk", [ACCOUNT], change=change) as desk:
        api = Api(desk, await admin_key(made[-1]))
        load = Load()
        loads = [asyncio.create_task(keep_asking(desk, load, fresh, seed)) for seed in range(given.load)]
        try:
            say("before")
            report["before"] = await follows(desk, fresh[: given.fresh])
            report["corrections"] = await correct(
                desk, api, list(itertools.islice(itertools.cycle(taught), given.corrections)), load
            )
            report["approved"] = await approve(api)
            say(f"{report['corrections']} corrections, {report['approved']} approved; retraining")
            done = await retrain(api, force=given.corrections < FEWEST)
            report["retrain"] = {key: done[key] for key in ("retrain", "seconds", "advice")}
            report["style"] = style_of(done["report"])
            report["gate"] = {key: done["report"].get(key) for key in ("verdict", "reasons")}
            say(f"verdict {done['retrain']['verdict']} after {done['seconds']:.0f} s; {done['retrain']['error']}")
            candidate = done["retrain"]["candidate"]
            if candidate:
                await promote(desk, api, candidate, fresh, given, report, load)
        finally:
            for task in loads:
                task.cancel()
            await asyncio.gather(*loads, return_exceptions=True)
        report["load"] = {
            "asked": load.asked, "failed": load.failed, "mixed_releases": load.mixed, "releases": dict(load.releases),
            "p50_s": round(sorted(load.took_s)[len(load.took_s) // 2], 2) if load.took_s else None,
        }  # fmt: skip
    report["seconds"] = round(time.monotonic() - began, 1)
    return report


async def promote(
    desk: Desk,
    api: Api,
    candidate: str,
    fresh: Sequence[str],
    given: argparse.Namespace,
    report: dict[str, Any],
    load: Load,
) -> None:
    """Canary, promotion, and what customers see after each; then one rollback, timed."""
    reason = "" if report["gate"]["verdict"] == "promote" else "the benchmark goes on to the end"
    await api.call("POST", f"/api/releases/{candidate}/canary", {"share": SHARE, "cap": CAP, "reason": reason})
    report["canary"] = await follows(desk, fresh[: given.fresh])
    report["canary_state"] = await api.call("GET", "/api/releases/canary")
    await api.call("POST", f"/api/releases/{candidate}/promote", {"reason": reason})
    report["after"] = await follows(desk, fresh[: given.fresh])
    sample = next(iter(report["after"]["samples"]))
    say(f"after: {sample['question']} -> {sample['answer']}")
    sql = "select id from message where role = 'assistant' and release_id = ? order by created_at desc limit 1"
    last = desk.rows(sql, candidate)
    if last:
        report["lineage"] = await api.call("GET", f"/api/releases/lineage/{last[0]['id']}")
    began = time.monotonic()
    load.rollbacks += 1
    await api.call("POST", "/api/releases/rollback", {"reason": "the benchmark times it"})
    report["rollback_s"] = round(time.monotonic() - began, 3)
    report["rolled_back"] = await follows(desk, fresh[:8])


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--corrections", type=int, default=160)
    given.add_argument("--fresh", type=int, default=40, help="new questions asked before, during and after")
    given.add_argument("--load", type=int, default=1, help="customers who write all the while")
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--suites", type=Path, nargs="*", default=[DEMO / "suites"])
    given.add_argument("--recipe", type=Path, default=DEMO / "training" / "recipe.json")
    given.add_argument("--log", type=Path)
    given.add_argument("--folder", type=Path, help="kept; otherwise a temporary one")
    options = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="loop-demo-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(story(options, folder))
    if options.log:
        write_log(options.log, report)
    shown = {key: value for key, value in report.items() if key not in {"lineage", "before", "canary", "after"}}
    for stage in ("before", "canary", "after"):
        if stage in report:
            shown[stage] = {key: report[stage][key] for key in ("asked", "followed")}
    say(json.dumps(shown, indent=1, ensure_ascii=False, default=str)[:6_000])


if __name__ == "__main__":
    main()
