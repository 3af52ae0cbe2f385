"""The demo shop for tests: its database, its tools, and a conversation that does what the engine does with a plan."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from config.tools import Tools
from server.store.contract import Store
from server.tools.builtin.kit import Kit, make
from server.tools.builtin.seed import seed
from server.tools.builtin.shop import Shop, open_shop
from server.tools.contract import Caller, Result
from server.tools.mail import Letter
from server.tools.plans import Ask, Call, Confirmed, Declined, Dialogue, Force, NoPlan, Pending, Plan, Say
from server.tools.schema import Schema
from server.tools.wire import Answer

DEMO = Path(__file__).parents[3] / "config/demo"
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # a Monday; Dublin is on UTC in winter
CUSTOMERS = {
    "C-001": ("Niamh Gallagher", "niamh.gallagher@mail.example"),
    "C-002": ("Thomas Brandt", "t.brandt@post.example"),
    "C-003": ("Lucía Ferrer", "lucia.ferrer@correo.example"),
    "C-005": ("Harriet Cole", "harriet.cole@letters.example"),
    "C-004": ("Eoin Murphy", "eoin.murphy@mail.example"),
}


@dataclass
class Hands:
    """A clock moved by hand, epoch seconds."""

    now_s: float = NOW.timestamp()

    def __call__(self) -> float:
        return self.now_s


class Letters:
    """Takes letters instead of a mail server."""

    def __init__(self) -> None:
        self.sent: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.sent.append(letter)

    def code(self) -> str:
        return self.sent[-1].subject.rpartition(" ")[2]


class NoHttp:
    """Nothing outside is reached."""

    async def request(self, method: str, url: str, **_rest: Any) -> Answer:
        raise AssertionError(f"{method} {url} was requested")


@dataclass
class Front:
    """A seeded shop with its tools."""

    store: Store
    shop: Shop
    kit: Kit
    letters: Letters
    clock: Hands

    def talk(self, conversation_id: str = "c1", customer: str | None = None, language: str = "en") -> Talk:
        name, contact = CUSTOMERS.get(customer or "", ("", ""))
        return Talk(
            self, Caller("default", conversation_id, "web", "default", "k1", language, customer or "", contact, name)
        )


@asynccontextmanager
async def open_front(store: Store, shop_url: str, *, tools_file: Path = DEMO / "tools.yaml") -> AsyncIterator[Front]:
    shop, letters, clock = open_shop(shop_url), Letters(), Hands()
    async with shop.running():
        await seed(shop, DEMO / "orders.sql", date(2026, 11, 2))
        settings = Tools(shop=shop_url, file=tools_file)
        kit = await make(
            settings, store, "default", shop, letters, lambda: b"k" * 32, NoHttp(),
            shop_name="Marlow & Pine", environ={}, clock=clock,
        )  # fmt: skip
        async with kit.running():
            yield Front(store, shop, kit, letters, clock)


@dataclass
class Talk:
    """One conversation, kept as the engine keeps it: dialogue, pending request, what we said."""

    front: Front
    caller: Caller
    dialogue: Dialogue = field(default_factory=Dialogue)
    pending: Pending | None = None
    said: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    turns: int = 0

    async def plan(self, text: str) -> Plan:
        specs = [tool.spec for tool in self.front.kit.tools.values()]
        now = datetime.fromtimestamp(self.front.clock(), UTC)
        return await self.front.kit.planner(text, self.said, self.dialogue, self.pending, self.caller, specs, now)

    async def say(self, text: str) -> Plan:
        """One message of the customer and everything it sets off."""
        self.turns += 1
        plan = await self.plan(text)
        match plan:
            case Ask():
                self.dialogue, self.pending = Dialogue(plan.tool, plan.slots, plan.asked, plan.tries), None
                self.said.append(plan.text)
            case Say():
                self.dialogue = Dialogue()
                self.said.append(plan.text)
            case Declined():
                self.dialogue, self.pending = Dialogue(), None
                self.said.append(plan.text)
            case Confirmed():
                assert self.pending is not None
                pending, self.pending = self.pending, None
                await self.run(pending.tool, pending.arguments, pending.arguments)
            case Call():
                self.pending = None
                await self._call(plan)
            case Force() | NoPlan():
                pass
        return plan

    async def _call(self, call: Call) -> None:
        tool = self.front.kit.tools[call.tool]
        if tool.policy.confirm:
            self.pending = Pending(f"r{self.turns}", call.tool, call.arguments)
            self.dialogue = Dialogue()
            self.said.append(call.summary)
            return
        await self.run(call.tool, call.arguments, call.slots)

    async def run(self, tool: str, arguments: Any, slots: Any = None, key: str = "") -> Result:
        """Run a tool as the tool box would: arguments as JSON, checked by the schema."""
        found = self.front.kit.tools[tool]
        checked = Schema(found.spec.parameters).check(json.loads(json.dumps(arguments)))
        key = key or f"{self.caller.conversation_id}:{self.turns}:1"
        result = await found.run(checked, self.caller, key)
        self._keep(tool, slots or {}, result)
        return result

    def _keep(self, tool: str, slots: Any, result: Result) -> None:
        self.results.append(result)
        self.said.append(result.say)
        asked = str(result.data.get("ask", ""))
        self.dialogue = Dialogue(tool, slots, asked) if asked else Dialogue()

    @property
    def outcome(self) -> str:
        return str(self.results[-1].data["outcome"]) if self.results else ""


async def counted(shop: Shop, table: str) -> int:
    rows: Sequence[Any] = await shop.rows(f"select count(*) as number from {table}")
    return int(rows[0]["number"])
