"""Calls that the real model writes for the demo shop's tools: how many have arguments that fit the tool's schema.

    python -m benchmarks.tool_arguments [--calls 200] [--choice named|required|auto] [--log FILE]

Prompts, schemas and decoding are the product's (system prompt, chat template and token budget; the answer limit of the
shop; repetition penalty). *fits* is the strict check without any repair, *usable* what the tool box accepts after the
repairs it always makes. *named* is how a turn asks for a call that code found due: one tool, all of its arguments
(those a call may leave out too), its free texts held short, and room enough to end. *required* and *auto* offer all
tools as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, cast

from benchmarks.shop_desk import say, write_log
from config.load import read
from config.settings import Settings, StoreSettings
from config.tools import Tools
from models import weights
from models.chat import Deadlines, Decoding, ModelError, ToolCall, ToolSpec
from models.prompt import PromptBudget, open_budget
from models.serve import ModelProcess
from server.engine.acting import asking_for
from server.engine.attempt import CALL_TOKENS
from server.store.open import open_store
from server.telemetry import Metrics
from server.tools import registry
from server.tools.builtin.kit import make
from server.tools.builtin.seed import seed
from server.tools.builtin.shop import open_shop
from server.tools.contract import ToolRefused
from server.tools.limits import Limits
from server.tools.mail import notifier
from server.tools.runner import ToolBox
from server.tools.wire import GuardedHttp

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "config/demo"
PATIENT = Deadlines(first_token_s=120, gap_s=60, total_s=300)
AT_ONCE = 8
CHOICES = ("named", "required", "auto")


@dataclass
class Written:
    """One call; ``problem`` is why it does not fit, empty when it does."""

    tool: str
    message: str
    arguments: str
    finish: str
    fits: bool
    usable: bool
    tokens: int = 0
    problem: str = ""


@asynccontextmanager
async def box_of(settings: Settings, folder: Path) -> AsyncIterator[ToolBox]:
    """The demo shop's tools, made as a process makes them."""
    tools = Tools(shop=f"sqlite:///{folder / 'shop.db'}", file=DEMO / "tools.yaml")
    store = open_store(f"sqlite:///{folder / 'desk.db'}", StoreSettings())
    shop, http = open_shop(tools.shop), GuardedHttp()
    async with store.running(), http.running(), shop.running():
        await seed(shop, DEMO / "orders.sql", date(2026, 11, 2))
        letters = notifier(settings.mail, folder)
        kit = await make(
            tools, store, "default", shop, letters, lambda: b"k" * 32, http, shop_name=settings.name, environ={}
        )
        limits = Limits(store, tools.cost_per_hour)
        yield registry.build(tools, kit.tools, environ={}, http=http, limits=limits, metrics=Metrics())


def messages() -> list[str]:
    """What customers write: requests, questions, attacks, three languages and more."""
    found: list[str] = []
    for path in (DEMO / "evaluation/actions.jsonl", ROOT / "tests/demo/more_actions.jsonl"):
        found += [json.loads(line)["message"] for line in path.read_text("utf-8").splitlines()]
    attacks = (ROOT / "tests/demo/red_team.jsonl").read_text("utf-8").splitlines()
    found += [json.loads(line)["turns"][-1] for line in attacks]
    questions = (DEMO / "evaluation/answerable.jsonl").read_text("utf-8").splitlines()
    found += [json.loads(line)["question"] for line in questions]
    return found


class Caller:
    """Asks the model for calls as the engine does."""

    def __init__(self, process: ModelProcess, budget: PromptBudget, settings: Settings, box: ToolBox) -> None:
        self._process = process
        self._budget = budget
        self._box = box
        model = settings.model
        self._system = settings.engine.system_prompt.replace("{name}", settings.name)
        self._decoding = Decoding(
            temperature=model.temperature, max_tokens=model.answer_tokens, repetition_penalty=model.repetition_penalty
        )
        self._model = model.name

    async def call(self, spec: ToolSpec, text: str, choice: str) -> list[Written]:
        """One question; nothing is returned when the model called nothing."""
        named = choice == "named"
        offered = (
            (asking_for(spec, tuple(cast("dict[str, Any]", spec.parameters["properties"]))),)
            if named
            else tuple(self._box.specs())
        )
        wanted = spec.name if named else choice
        decoding = self._decoding if choice == "auto" else replace(self._decoding, max_tokens=CALL_TOKENS)
        prompt = self._budget.fit(self._system, (), text, tools=offered, max_answer_tokens=decoding.max_tokens)
        calls: list[ToolCall] = []
        finish, tokens = "", 0
        try:
            async for delta in self._process.client.chat(
                prompt.messages, model=self._model, decoding=decoding, deadlines=PATIENT, tools=offered,
                tool_choice=wanted,
            ):  # fmt: skip
                calls += delta.tool_calls
                finish = delta.finish_reason or finish
                tokens = delta.usage.completion_tokens if delta.usage else tokens
        except ModelError as error:
            return [Written(spec.name, text, "", type(error).__name__, fits=False, usable=False, problem=str(error))]
        return [self._written(one.name, text, one.arguments, finish, tokens) for one in calls]

    def _written(self, tool: str, text: str, arguments: str, finish: str, tokens: int) -> Written:
        made = Written(tool, text, arguments, finish, fits=False, usable=False, tokens=tokens)
        try:
            made.fits = self._box.fits(tool, arguments)
            self._box.check(tool, arguments)
            made.usable = True
        except ToolRefused as error:
            made.problem = str(error)
        return made


async def run(calls: int, choice: str, log_path: Path) -> int:
    settings = read({}, DEMO / "frontdesk.yaml", {}).settings
    found = await weights.ensure(settings.model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process = ModelProcess(settings.model, found.folder, folder / "vllm.log")
        await process.start()
        try:
            async with box_of(settings, folder) as box:
                assert await process.wait_ready(400), (folder / "vllm.log").read_text()[-2_000:]
                budget = open_budget(found.folder, settings.model.context_tokens)
                began = time.monotonic()
                written = await _all(Caller(process, budget, settings, box), box.specs(), calls, choice)
        finally:
            await process.stop()
    return summed(written, calls, choice, log_path, time.monotonic() - began)


async def _all(caller: Caller, specs: Sequence[ToolSpec], calls: int, choice: str) -> list[Written]:
    gate, said = asyncio.Semaphore(AT_ONCE), messages()

    async def one(number: int) -> list[Written]:
        async with gate:
            return await caller.call(specs[number % len(specs)], said[number % len(said)], choice)

    return [call for found in await asyncio.gather(*(one(number) for number in range(calls))) for call in found]


def summed(written: Sequence[Written], asked: int, choice: str, log_path: Path, took_s: float) -> int:
    fits, usable = sum(one.fits for one in written), sum(one.usable for one in written)
    tools: dict[str, Counter[str]] = {}
    for one in written:
        tools.setdefault(one.tool, Counter()).update(calls=1, fits=one.fits, usable=one.usable)
    share = fits / len(written) if written else 0.0
    say(f"{choice}: {asked} asked, {len(written)} calls, {fits} fit ({share:.1%}), {usable} usable, {took_s:.0f} s")
    say(f"by tool { ({name: dict(counts) for name, counts in tools.items()}) }")
    for one in written:
        if not one.fits:
            say(f"  {one.tool} [{one.finish}, {one.tokens}]: {one.problem}: {one.arguments[:300]!r}")
    figures: dict[str, Any] = {"choice": choice, "asked": asked, "calls": len(written), "fits": fits, "usable": usable}
    write_log(log_path, {**figures, "tools": tools, "written": [asdict(one) for one in written]})
    return int(share < 0.995)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--choice", choices=CHOICES, default="named")
    parser.add_argument("--log", type=Path, default=ROOT / "tool_arguments.json")
    options = parser.parse_args()
    sys.exit(asyncio.run(run(options.calls, options.choice, options.log)))


if __name__ == "__main__":
    main()
