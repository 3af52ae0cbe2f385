"""``frontdesk review``: the queue of examples in the terminal, two keys each."""

from __future__ import annotations

import json
import sys
import termios
import tty
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import typer

from config.settings import Settings
from server.audit import audit
from server.candidates import Target
from server.commands import shared
from server.commands.failure import MISUSED, Failure
from server.conversation import Refused
from server.examples import REASONS, Decision, Examples
from server.routes import Principal
from server.store.contract import Row, Tx

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

STATES = ("", "pending", "approved", "rejected", "withdrawn")
SHOWN_CHARACTERS = 1_200
LINE_CHARACTERS = 60
HELP = "aa approve   r1-r8 reject   ss skip   ee edit   q quit"
Keys = Callable[[], str]
"""Gives the next key pressed; '' at the end of the input."""


@app.callback()
def review() -> None:
    """Approve what the model may learn from: a queue of two keys, or a list."""


@app.command()
def queue() -> None:
    """Show one waiting example after the other: aa approves, r1 to r8 reject with a reason, ss skips, ee edits."""
    settings = shared.settings()
    shared.run(_queue(settings, pressed))


@app.command("list")
def listed(
    status: Annotated[str, typer.Option(help="pending, approved, rejected or withdrawn; empty = all.")] = "pending",
    count: Annotated[int, typer.Option(min=1, max=1_000, help="Lines to print.")] = 50,
) -> None:
    """Print examples, the newest first."""
    if status not in STATES:
        raise Failure(f"there is no state {status}", "use one of: pending, approved, rejected, withdrawn", code=MISUSED)
    settings = shared.settings()
    shared.run(_list(settings, status, count))


async def _list(settings: Settings, status: str, count: int) -> None:
    async with shared.opened(settings) as store:
        examples = Examples(store, settings.tenant, settings.training)
        for row in await examples.page((float("inf"), ""), count, status=status):
            question = " ".join(row["question"].split())[:LINE_CHARACTERS]
            shared.say(f"{row['id']}  {row['status']:<9} {row['behaviour']:<9} {row['origin']:<11} {question}")
        counted: dict[str, int] = {}
        for row in await examples.counts():
            counted[row["status"]] = counted.get(row["status"], 0) + row["n"]
        agreement = await examples.agreement()
    told = ", ".join(f"{n} {name}" for name, n in counted.items()) or "no examples yet"
    shared.say(f"{told}; {settings.training.minimum_examples} approved ones are the least that is trained on.")
    if agreement.share is not None:
        shared.say(f"Reviewers agree on {agreement.share:.0%} of {agreement.judged} examples judged twice.")


async def _queue(settings: Settings, keys: Keys) -> None:
    """One example after the other until none waits or somebody quits."""
    reviewer = shared.operator(settings)
    done = 0
    async with shared.opened(settings) as store:
        examples = Examples(store, settings.tenant, settings.training)
        while (row := await examples.next(reviewer.owner)) is not None:
            show(row)
            step = _asked(examples, row, reviewer.owner, keys)
            if step is None:
                break
            try:
                decision = await store.write(lambda tx, step=step: _audited(tx, reviewer, step))  # type: ignore[misc]
            except Refused as refused:
                shared.say(f"  {refused}")
                continue
            needed = f", {decision.needed} more to approve it" if decision.needed else ""
            shared.say(f"  {decision.status}{needed}")
            done += 1
        else:
            shared.say("Nothing waits for you.")
    shared.say(f"{done} looked at.")


Step = tuple[str, str, Callable[[Tx], Any]]


async def _audited(tx: Tx, reviewer: Principal, step: Step) -> Decision:
    action, example, change = step
    decision: Decision = await change(tx)
    await audit(tx, reviewer, f"example.{action}", example, {"status": decision.status})
    return decision


def _asked(examples: Examples, row: Row, reviewer: str, keys: Keys) -> Step | None:
    """What two keys say about an example; None to end. Other keys are asked for again."""
    example = str(row["id"])
    while True:
        first = keys()
        if first in {"q", "", "\x03", "\x04"}:
            return None
        second = keys()
        match first + second:
            case "aa":
                return "approve", example, partial(examples.approve, example_id=example, reviewer=reviewer)
            case "ss":
                return "skip", example, partial(examples.skip, example_id=example, reviewer=reviewer)
            case "ee":
                return "edit", example, partial(examples.edit, example_id=example, target=edited(row["target"]))
            case both if both[0] == "r" and both[1:].isdigit() and 1 <= int(both[1:]) <= len(REASONS):
                reasons = (REASONS[int(both[1:]) - 1],)
                return (
                    "reject",
                    example,
                    partial(examples.reject, example_id=example, reviewer=reviewer, reasons=reasons),
                )
        shared.say(f"  {HELP}")


def edited(target: str) -> Target:
    """The target with the words typed now; its calls stay. An empty line keeps the words too."""
    body: Mapping[str, Any] = json.loads(target)
    shared.say("  the better answer (one line; empty = as it is):")
    line = sys.stdin.readline().strip()
    return Target(line or str(body.get("content", "")), tuple(body.get("tool_calls", ())))


def show(row: Row) -> None:
    """Print an example: what was asked, what was said, what should be learned."""
    shared.say()
    shared.say(f"{row['behaviour']} · {row['origin']} · {row['channel']} · {row['language']} · {row['id']}")
    shared.say(f"customer   {row['question'][:SHOWN_CHARACTERS]}")
    if row["rejected"]:
        shared.say(f"assistant  {spoken(row['rejected'])}")
    shared.say(f"better     {spoken(row['target'])}")
    shared.say(f"  {HELP}    reasons: {', '.join(f'{n} {code}' for n, code in enumerate(REASONS, 1))}")


def spoken(target: str) -> str:
    """A target as one text: its words, then its calls."""
    body = json.loads(target)
    calls = [f"-> {call['name']}({json.dumps(call['arguments'], ensure_ascii=False)})" for call in body["tool_calls"]]
    return "  ".join(filter(None, [body["content"], *calls]))[:SHOWN_CHARACTERS]


def pressed() -> str:
    """One key without Enter on a terminal, one character of a pipe otherwise (its line ends are passed over)."""
    if not sys.stdin.isatty():
        while (key := sys.stdin.read(1)) == "\n":
            pass
        return key
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        return sys.stdin.read(1)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
