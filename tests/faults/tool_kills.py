"""kill -9 around a tool's effect, by a model that proposes something else each time it is asked.

``python -m tests.faults.tool_kills --store sqlite|postgresql --kills 200 --seed 1`` prints one line per kill and the
sum, and exits with 1 when any promise was broken: one effect per turn, with the arguments of the first proposal, told
to the customer as it happened, and a stored round never asked for again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.doubles.crm import CrmDouble
from tests.faults.processes import Deployment, Node, database
from tests.model_double import ModelDouble

POINTS = ("tool_proposed", "tool_running", "tool_effect", "tool_recorded")
HELD = "held"  # the endpoint has done it and does not answer: the process dies in between
ANSWER_S = 40.0
TOOL = "create_refund"


class Fickle(ModelDouble):
    """Calls the tool with other arguments each time it is asked; reads a result out when it gets one."""

    def __init__(self) -> None:
        super().__init__()
        self.proposals: Counter[str] = Counter()
        self._amounts = iter(range(1, 1_000_000))

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        self.stats.prompts.append({"last_user": "", "messages": body["messages"], "stream": True})
        last = body["messages"][-1]
        if last["role"] == "tool":
            return await self._send(request, body, [f"done: {json.loads(last['content'])['amount']}"], None, "ok")
        self.proposals[last["content"]] += 1
        amount = next(self._amounts)
        return await self._send(request, body, [], (TOOL, {"order_id": f"order-{amount}", "amount": amount}), "ok")


@dataclass
class Rig:
    """One process, the tool's endpoint and the model; the last two outlive every kill."""

    deployment: Deployment
    crm: CrmDouble
    model: Fickle
    http: aiohttp.ClientSession
    kills: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def node(self) -> Node:
        return self.deployment.gateway

    async def ask(self, text: str) -> tuple[str, str]:
        """A new visitor asks for a refund; returns (conversation, token)."""
        async with self.http.post(f"{self.node.url}/web/session", json={}) as response:
            session = await response.json()
        conversation, token = session["conversation_id"], session["token"]
        url = f"{self.node.url}/web/conversations/{conversation}/messages"
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.post(url, json={"client_message_id": "m1", "text": text}, headers=headers) as response:
            assert response.status == 202, await response.text()
        return conversation, token

    async def answer(self, conversation: str, token: str) -> str:
        """What the assistant said in the end."""
        url, headers = f"{self.node.url}/web/conversations/{conversation}", {"Authorization": f"Bearer {token}"}
        async with asyncio.timeout(ANSWER_S):
            while True:
                async with self.http.get(url, headers=headers) as response:
                    messages = (await response.json())["messages"]
                if said := [message["text"] for message in messages if message["role"] != "customer"]:
                    return "\n".join(said)
                await asyncio.sleep(0.05)

    async def start(self, crash: str = "") -> None:
        await self.deployment.start(self.node, crash)
        await self.deployment.ready(self.node)

    async def killed_at(self, point: str, text: str) -> None:
        """One turn whose process dies at a point; what is wrong afterwards is a finding."""
        if point == HELD:
            self.crm.faults = ["late"]
            conversation, token = await self.ask(text)
            await _until(lambda: len(self._effects(conversation)) == 1)
            await self.deployment.kill([self.node])
            self.crm.faults = []
        else:
            await self.deployment.kill([self.node])
            await self.start(f"{point}:1")
            conversation, token = await self.ask(text)
            await _until(lambda: not self.node.alive)
        self.kills[point] += 1
        await self.start()
        self._judge(point, text, conversation, await self.answer(conversation, token))

    def _effects(self, conversation: str) -> list[dict[str, Any]]:
        return [effect for effect in self.crm.effects if effect["key"].startswith(f"{conversation}:")]

    def _judge(self, point: str, text: str, conversation: str, answer: str) -> None:
        effects, found = self._effects(conversation), []
        if len(effects) != 1:
            found.append(f"{len(effects)} effects")
        elif answer != f"done: {effects[0]['amount']}":
            found.append(f"told {answer!r}, done {effects[0]['amount']}")
        keys = [(request["headers"].get("Idempotency-Key", ""), request["body"]) for request in self.crm.requests]
        own = [(key, body) for key, body in keys if key.startswith(f"{conversation}:")]
        if any(each != own[0] for each in own):
            found.append("repeated with another key or other arguments")
        if self.model.proposals[text] != 1:
            found.append(f"the model was asked {self.model.proposals[text]} times")
        self.findings += [f"{point}: {text}: {finding}" for finding in found]


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(ANSWER_S):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def rig(url: str, folder: Path) -> AsyncIterator[Rig]:
    """Everything of one run, with a process that is ready."""
    async with AsyncExitStack() as stack:
        crm = await stack.enter_async_context(CrmDouble(late_s=ANSWER_S).running())
        model = await stack.enter_async_context(Fickle())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        tools = folder / "tools.yaml"
        entry = {"openapi": f"{crm.url}/openapi.json", "operations": ["createRefund"], "allow_hosts": [crm.host]}
        tools.write_text(json.dumps({"shop": entry | {"confirm": False}}), encoding="utf-8")
        settings = {"FRONTDESK_TOOLS__FILE": str(tools), "FRONTDESK_ENGINE__SETTLE_S": "0"}
        deployment = Deployment(url, folder, "joined", model.base_url, settings)
        stack.push_async_callback(deployment.kill, deployment.nodes)
        desk = Rig(deployment, crm, model, http)
        await desk.start()
        yield desk


async def run(url: str, folder: Path, kills: int, seed: int, say: Callable[[str], None] = print) -> Rig:
    """Kill so often: each named point in turn and then between effect and record, in an order of the seed's choice."""
    pick = random.Random(seed)
    places = [*POINTS, *([HELD] * max(0, kills - len(POINTS)))][:kills]
    pick.shuffle(places)
    async with rig(url, folder) as desk:
        for number, place in enumerate(places, 1):
            began = time.monotonic()
            await desk.killed_at(place, f"please refund {seed}-{number}")
            say(f"{number:4} {place:14} {time.monotonic() - began:5.1f} s  findings {len(desk.findings)}")
        return desk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(chosen.store, Path(folder)) as url:
        desk = asyncio.run(run(url, Path(folder), chosen.kills, chosen.seed, lambda line: print(line, flush=True)))
    keys = Counter(effect["key"] for effect in desk.crm.effects)
    doubled = sum(count - 1 for count in keys.values())
    print(f"kills {dict(desk.kills)}; effects {len(keys)}, doubled {doubled}; broken promises {len(desk.findings)}")
    for finding in desk.findings:
        print(finding)
    sys.exit(1 if desk.findings else 0)


if __name__ == "__main__":
    main()
