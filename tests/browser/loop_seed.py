"""A loop with a past: examples of every kind, a dataset, retrains with curves and reports, releases and a trial."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from server.retrain.folder import Folder, write_rows, write_text
from tests.browser.clerk import amend
from tests.scenario import Service, Visitor

TENANT = "default"
CARD = """insert into release_card (tenant, release_id, state, verdict, report, run_id, dataset_id, parent_id,
    created_at, changed_at) values (?, ?, 'candidate', ?, ?, ?, ?, ?, ?, ?)"""
APPROVAL = """insert into approval (example_id, tenant, basis, usable, digest, approved_by, approved_at)
    values (?, ?, 'consent', 1, 'd', 'ana', ?)"""
DATASET = """insert into dataset (id, tenant, run_id, digest, manifest, rows_count, created_at)
    values (?, ?, ?, ?, ?, 6, ?)"""
ROW = """insert into dataset_row (dataset_id, example_id, usable, message_id, split)
    values ('run-judged', ?, 1, null, ?)"""
Insert = tuple[str, tuple[Any, ...]]
SAMPLES = (
    (
        "How long does delivery take?",
        "Delivery takes 3 days.",
        "Delivery takes three working days. Anything else?",
        "grounded",
        "correction",
    ),
    ("Can I talk to somebody?", "I am a bot.", "Of course. I am getting a colleague for you.", "style", "correction"),
    ("Do you repair clocks?", "Yes, for 20 euros.", "I do not know. Shall I ask a colleague?", "refusal", "correction"),
    ("thx", "", "You are welcome!", "chat", "staff_reply"),
    ("Where is order A-1001?", "", "", "tool_call", "tool_call"),
    ("Is the blue mug in stock?", "", "Yes, six of them are in stock [1].", "grounded", "confirmed"),
)
CALL = {"name": "order_status", "arguments": {"order": "A-1001"}}
OFFERED = {"tool_call": "order_status", "handoff": "handoff_to_staff"}  # without its tool no example may be approved


def example(
    number: int, *, status: str = "pending", cluster: str = "", talk: str | None = None, **values: Any
) -> Insert:
    """An insert of one example; ``values`` replace single columns."""
    question, rejected, wanted, behaviour, origin = SAMPLES[number % len(SAMPLES)]
    now = time.time() - 7_200 + number
    target = {"content": wanted, "tool_calls": [] if wanted else [CALL]}
    row: dict[str, Any] = {
        "id": f"example-{number:03}",
        "tenant": TENANT,
        "source": f"seed:{number}",
        "kind": "pair" if rejected else "sft",
        "origin": origin,
        "behaviour": behaviour,
        "status": status,
        "prompt": json.dumps(
            [{"role": "system", "content": "Answer from the passages."}, {"role": "user", "content": question}]
        ),
        "exact": 1,
        "question": question if number < len(SAMPLES) else f"{question} ({number})",
        "target": json.dumps(target),
        "rejected": json.dumps({"content": rejected, "tool_calls": []}) if rejected else None,
        "tools": json.dumps([{"name": OFFERED[behaviour]}] if behaviour in OFFERED else []),
        "sources": json.dumps([{"id": "p1", "title": "Delivery", "text": "Parcels take three working days."}]),
        "language": "en",
        "channel": "web",
        "account": "default",
        "conversation_id": talk,
        "customer_id": None,
        "message_id": None,
        "turn_id": None,
        "release_id": None,
        "person": "person-ana@example.com",
        "basis": "consent",
        "cluster": cluster or f"cluster-{number}",
        "weight": 1.0,
        "created_at": now,
        "updated_at": now,
    } | values
    return f"insert into example ({', '.join(row)}) values ({', '.join('?' * len(row))})", tuple(row.values())


def run(folder: Path, name: str, state: str = "done", stage: str = "candidate", **values: Any) -> Insert:
    """An insert of one retrain."""
    now = time.time()
    row: dict[str, Any] = {
        "id": name,
        "tenant": TENANT,
        "state": state,
        "stage": stage,
        "folder": str(folder / "runs" / name),
        "recipe": "{}",
        "forced": 0,
        "cause": "person",
        "note": "",
        "verdict": None,
        "progress": "{}",
        "advice": None,
        "error": None,
        "started_by": "person-ana@example.com",
        "created_at": now - 9_000,
        "started_at": now - 8_900,
        "updated_at": now,
        "ended_at": now - 6_000 if state == "done" else None,
        "dataset_id": None,
        "candidate": None,
    } | values
    return f"insert into retrain_run ({', '.join(row)}) values ({', '.join('?' * len(row))})", tuple(row.values())


def point(step: int) -> dict[str, Any]:
    """One step of a curve that falls."""
    loss = 0.8 + 2.2 * math.exp(-step / 40) + 0.12 * math.sin(step * 1.7)
    measured = round(loss + 0.15, 3) if step % 20 == 0 else None
    return {
        "stage": "sft",
        "step": step,
        "steps": 160,
        "loss": round(loss, 3),
        "heldout_loss": measured,
        "lr": 7e-4 * (1 - step / 160),
        "tokens": step * 900,
        "tokens_per_s": 150.0,
    }


def furnish_run(folder: Path, name: str, steps: int = 120, *, judged: bool = True) -> None:
    """The files of a run: its curve, and for a judged one answers and report."""
    files = Folder(folder / "runs" / name)
    files.make()
    write_rows(files.path / "progress.jsonl", [point(step) for step in range(1, steps + 1)])
    if judged:
        for subject, words in (
            ("live", "Delivery takes 3 days, thank you for asking us."),
            ("candidate", "Three working days [1]."),
        ):
            write_rows(files.answers(subject), [_answer(number, words) for number in range(8)])
        write_text(files.report, json.dumps(REPORT))


def _answer(number: int, words: str) -> dict[str, Any]:
    row = {
        "id": f"example-{number:03}",
        "behaviour": "grounded",
        "target": {"content": "Three working days.", "tool_calls": []},
        "messages": [{"role": "user", "content": f"How long does delivery take to place {number}?"}],
    }
    return {
        "id": row["id"],
        "suite": "heldout",
        "prompt": "p",
        "row": row,
        "answer": {"content": f"{words} ({number})"},
    }


def _floor(part: str, metric: str, state: str, live: float, value: float, spread: float = 0.06) -> dict[str, Any]:
    gain = value - live
    return {
        "slice": part,
        "metric": metric,
        "state": state,
        "live": live,
        "value": value,
        "floor": live - 0.05,
        "difference": gain,
        "low": gain - spread,
        "high": gain + spread,
        "rows": 64,
        "chance": 0.2,
    }


_QUIET = {
    "rows": 8,
    "answered": 8,
    "models": ["base"],
    "figures": {"quality": {"value": 0.61, "rows": 8}},
    "first_token_ms": 180.0,
    "total_ms": 900.0,
    "tokens": 22.0,
}
REPORT: dict[str, Any] = {
    "verdict": "reject",
    "reasons": [
        {
            "slice": "answerable",
            "metric": "false_refusal",
            "value": 0.31,
            "floor": 0.15,
            "live": 0.05,
            "state": "broken",
            "text": "answerable: “Refuses although the passages answer” is 0.310, live has 0.050; the floor is 0.150.",
        },
        {
            "slice": "language:de",
            "metric": "quality",
            "value": 0.5,
            "floor": 0.52,
            "live": 0.57,
            "state": "doubtful",
            "text": "language:de: “Quality of the answer” is 0.500, live has 0.570. This may be chance.",
        },
    ],
    "targets": [
        {
            "slice": "behaviour:style",
            "rows": 64,
            "live": 0.55,
            "candidate": 0.71,
            "difference": 0.16,
            "low": 0.07,
            "high": 0.25,
            "beaten": True,
            "worse": False,
            "needed": 0,
        }
    ],
    "slices": [
        _floor("suite:heldout", "quality", "kept", 0.55, 0.6),
        _floor("answerable", "false_refusal", "broken", 0.05, 0.31),
        _floor("language:de", "quality", "doubtful", 0.57, 0.5),
        _floor("channel:web", "quality", "kept", 0.56, 0.58),
        _floor("length:long", "quality", "few", 0.5, 0.5, 0.4),
    ],
    "fixed": ["heldout/example-003"],
    "broken": ["heldout/example-001", "heldout/example-002"],
    "left_out": [],
    "settings": {},
    "subjects": {"base": _QUIET, "live": _QUIET, "candidate": _QUIET},
}
ADVICE = {
    "tune": True,
    "examples": 120,
    "pairs": 80,
    "behaviours": {"style": 60},
    "findings": [
        {
            "name": "examples",
            "stops": False,
            "value": 120,
            "threshold": 100,
            "text": "120 approved examples are enough.",
        }
    ],
}
MANIFEST = {
    "format": 1,
    "dataset_sha256": "ab" * 32,
    "counts": {"read": 6, "train": 4, "heldout": 1},
    "left_out": {"nearly the same": 1},
    "hands": {"people": {"count": 2, "largest_share": 0.6}},
    "parents": ["cd" * 32],
    "scrubber": {"masked": {"email": 2}},
    "files": {"train.jsonl": "ef" * 32},
    "warnings": ["4 training rows are under 100: expect no visible gain; approve more examples"],
}


async def candidate(service: Service, name: str, verdict: str | None, **card: Any) -> list[Insert]:
    """Inserts of a release that differs from the live one in its prompt."""
    row = await service.store.row("releases.now", tenant=TENANT)
    assert row is not None
    live = await service.store.row("releases.get", id=row["live_id"])
    assert live is not None
    body = json.loads(live["body"]) | {"prompt": f"Be kind and short. ({name})"}
    now, report = time.time(), json.dumps(card.get("report", {}))
    return [
        (
            "insert into release (id, tenant, body, created_at, created_by) values (?, ?, ?, ?, ?)",
            (name, TENANT, json.dumps(body), now, "system:retrain"),
        ),
        (CARD, (TENANT, name, verdict, report, card.get("run"), card.get("dataset"), row["live_id"], now, now)),
    ]


async def furnish(service: Service, folder: Path, visitor: Visitor) -> None:
    """A desk with a loop that has been at work for a while."""
    talk = visitor.conversation
    rows = [example(number, talk=talk) for number in range(6)]
    rows += [example(number, cluster="cluster-0", talk=talk) for number in (6, 12, 18)]
    rows += [example(number, status="approved", talk=talk) for number in (40, 41, 42, 43)]
    rows += [example(50, basis="no"), example(60, status="rejected", reasons='{"codes": ["tone"]}')]
    rows += [(APPROVAL, (f"example-{number:03}", TENANT, time.time())) for number in (40, 41, 42, 43)]
    rows += [
        run(
            folder,
            "run-judged",
            note="Shorter answers",
            verdict="reject",
            dataset_id="run-judged",
            candidate="c0ffee0000000001",
            advice=json.dumps(ADVICE),
        )
    ]
    rows += [
        run(
            folder,
            "run-failed",
            state="failed",
            stage="train",
            error="train ended with status 9: no memory",
            ended_at=time.time(),
        )
    ]
    rows += [(DATASET, ("run-judged", TENANT, "run-judged", "ab" * 32, json.dumps(MANIFEST), time.time() - 8_000))]
    rows += [(ROW, (f"example-{number:03}", "heldout" if number == 43 else "train")) for number in (40, 41, 42, 43)]
    rows += await candidate(
        service, "c0ffee0000000001", "reject", run="run-judged", dataset="run-judged", report=REPORT
    )
    rows += await candidate(
        service, "c0ffee0000000002", "promote", report=REPORT | {"verdict": "promote", "reasons": []}
    )
    amend(folder, rows)
    furnish_run(folder, "run-judged")
    furnish_run(folder, "run-failed", 12, judged=False)
