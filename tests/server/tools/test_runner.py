"""One call within its limits, and what becomes of it when the tool misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.tools import Tools
from server.store.contract import Store
from server.telemetry import Metrics
from server.tools.contract import Caller, Result, Tool, ToolError, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.limits import Limits
from server.tools.runner import VERIFY, ToolBox
from tests.places import Place
from tests.server.tools.bench import FunctionTool, caller

KNOWN = caller(subject="cust-7", contact="ada@example.org")
ORDER = {"order": {"type": "string"}}


class Bringer:
    """A source that brings tools while running."""

    def __init__(self, *tools: Tool) -> None:
        self.name, self.kind, self.reason = "crm", "openapi", "not yet"
        self._tools = {tool.spec.name: tool for tool in tools}
        self.stopped = False

    def tools(self) -> Mapping[str, Tool]:
        return {} if self.reason else self._tools

    async def run(self) -> None:
        self.reason = ""
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped = True


async def fine(arguments: Mapping[str, Any], who: Caller, key: str) -> Result:
    return Result({"got": dict(arguments), "for": who.subject, "key": key})


def box(store: Store, *tools: Tool, metrics: Metrics | None = None, sources: Any = (), **settings: Any) -> ToolBox:
    return ToolBox(tools, Tools(**settings), Limits(store, 100.0), metrics or Metrics(), sources)


def figure(metrics: Metrics, tool: str, outcome: str) -> float:
    return metrics.registry.get_sample_value("frontdesk_tool_calls_total", {"tool": tool, "outcome": outcome}) or 0.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """One kind is enough here: what counts calls is tested on both elsewhere."""
    async with Place("sqlite", f"sqlite:///{tmp_path / 'desk.db'}").open() as opened:
        yield opened


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


async def test_a_call_runs_with_its_key_and_is_counted(store: Store, metrics: Metrics) -> None:
    tools = box(store, FunctionTool(fine, ORDER), metrics=metrics)
    arguments = tools.check("fee", '{"order": 1042}')
    with structlog.testing.capture_logs() as logs:
        result = await tools.run("fee", arguments, caller(), "c1:1:1")
    assert result == Result({"got": {"order": "1042"}, "for": "", "key": "c1:1:1"})
    assert figure(metrics, "fee", "done") == 1
    assert metrics.registry.get_sample_value("frontdesk_tool_seconds_count", {"tool": "fee"}) == 1
    (line,) = [line for line in logs if line["event"] == "tool_called"]
    assert dict(line) | {"ms": 0} == {
        "event": "tool_called", "log_level": "info", "tool": "fee", "outcome": "done", "conversation": "c1",
        "key": "c1:1:1", "ms": 0,
    }  # fmt: skip
    assert tools.fits("fee", '{"order": "1"}')
    assert not tools.fits("fee", '{"order": 1}')


async def test_personal_tools_are_listed_but_need_a_verified_customer(store: Store, metrics: Metrics) -> None:
    tool = FunctionTool(fine, ORDER | {"customer_id": {"type": "string"}}, personal=True)
    tools = box(store, tool, metrics=metrics)
    (spec,) = tools.specs(caller())
    assert spec.parameters["properties"] == ORDER, "who the customer is, is not the model's business"
    with pytest.raises(ToolRefused) as refused:
        await tools.run("fee", {"order": "1"}, caller(), "k")
    assert str(refused.value) == VERIFY
    assert figure(metrics, "fee", "verify") == 1
    result = await tools.run("fee", tools.check("fee", '{"order": "1"}'), KNOWN, "k")
    assert result.data["got"] == {"order": "1", "customer_id": "cust-7"}
    own = tools.check("fee", '{"order": "1", "customer_id": "cust-7"}')
    assert (await tools.run("fee", own, KNOWN, "k")).ok


@pytest.mark.parametrize("key", ["customer_id", "customerId", "email"])
async def test_a_model_that_asks_for_another_customer_gets_nothing(store: Store, key: str) -> None:
    tool = FunctionTool(fine, ORDER | {"customer_id": {"type": "string"}}, personal=True)
    tools = box(store, tool)
    foreign = tools.check("fee", json.dumps({"order": "1", key: "cust-8"}))
    with pytest.raises(ToolRefused, match="another customer"):
        await tools.run("fee", foreign, KNOWN, "k")
    with pytest.raises(ToolRefused, match=VERIFY):
        await tools.run("fee", foreign, caller(), "k")
    assert tool.calls == []


async def test_tools_for_staff_are_not_offered(store: Store) -> None:
    tools = box(store, FunctionTool(fine, ORDER, "export", audience="staff"), FunctionTool(fine, ORDER))
    assert [spec.name for spec in tools.specs(caller())] == ["fee"]
    assert [name for name, _ in ((tool.spec.name, origin) for origin, tool in tools.listed())] == ["export", "fee"]


@pytest.mark.parametrize(
    ("policy", "arguments", "whose"),
    [
        ({}, {}, ""),
        ({"confirm": True}, {}, "confirm"),
        ({"confirm": True, "approve": True}, {}, "approve"),
        ({"confirm": True, "approve_above": {"amount": 50.0}}, {"amount": 50}, "confirm"),
        ({"approve_above": {"amount": 50.0}}, {"amount": 50.01}, "approve"),
        ({"approve_above": {"amount": 50.0}}, {"amount": "50"}, "approve"),
        ({"approve_above": {"amount": 50.0}}, {"other": 1}, ""),
    ],
)
async def test_whose_yes_a_call_needs(
    store: Store, policy: dict[str, Any], arguments: dict[str, Any], whose: str
) -> None:
    assert box(store, FunctionTool(fine, ORDER, **policy)).needs("fee", arguments) == whose


async def test_a_tool_that_hangs_times_out_and_is_stopped(store: Store, metrics: Metrics) -> None:
    stopped = asyncio.Event()

    async def hangs(_arguments: Mapping[str, Any], _caller: Caller, _key: str) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return Result()

    tools = box(store, FunctionTool(hangs, {}, timeout_s=0.02), metrics=metrics)
    with pytest.raises(ToolTimeout, match=r"did not answer within 0\.02 s"):
        await tools.run("fee", {}, caller(), "k")
    async with asyncio.timeout(5):
        await stopped.wait()
    assert figure(metrics, "fee", "timeout") == 1


async def test_who_waits_for_a_call_may_be_cancelled_and_the_call_ends_too(store: Store) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def hangs(_arguments: Mapping[str, Any], _caller: Caller, _key: str) -> Result:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return Result()

    running = asyncio.create_task(box(store, FunctionTool(hangs, {})).run("fee", {}, caller(), "k"))
    async with asyncio.timeout(5):
        await began.wait()
        running.cancel()
        await stopped.wait()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    ("raised", "seen", "words"),
    [
        (KeyError("ada@example.org"), ToolError, "failed"),
        (RuntimeError("secret"), ToolError, "failed"),
        (TimeoutError(), ToolTimeout, "fee waited too long"),
        (ConnectionResetError("secret"), ToolUnavailable, "fee lost the connection"),
        (ToolRefused("no such order"), ToolRefused, "no such order"),
        (asyncio.CancelledError(), ToolUnavailable, "fee was stopped"),
    ],
)
async def test_what_a_tool_raises_is_told_without_its_words(
    store: Store, raised: BaseException, seen: type[ToolError], words: str
) -> None:
    async def breaks(_arguments: Mapping[str, Any], _caller: Caller, _key: str) -> Result:
        raise raised

    with structlog.testing.capture_logs() as logs, pytest.raises(ToolError) as error:
        await box(store, FunctionTool(breaks, {})).run("fee", {}, caller(), "k")
    assert type(error.value) is seen
    assert words in str(error.value)
    assert "secret" not in str(logs)
    assert "ada@example.org" not in str(logs)
    crashes = [line for line in logs if line["event"] == "tool_crashed"]
    assert len(crashes) == (str(error.value) == "failed")
    assert all(any("breaks" in frame for frame in line["trace"]) for line in crashes)


async def test_long_results_are_cut(store: Store) -> None:
    async def talks(_arguments: Mapping[str, Any], _caller: Caller, _key: str) -> Result:
        return Result({"text": "x" * 10_000}, say="Here it is.")

    result = await box(store, FunctionTool(talks, {}), max_result_chars=200).run("fee", {}, caller(), "k")
    assert result.data["cut"] is True
    assert len(json.dumps(dict(result.data))) <= 200
    assert result.say == "Here it is."


async def test_limits_count_steps_not_repeats(store: Store, metrics: Metrics) -> None:
    tools = box(store, FunctionTool(fine, {}, per_hour=1), metrics=metrics)
    await tools.run("fee", {}, caller(), "c1:1:1")
    await tools.run("fee", {}, caller(), "c1:1:1")
    with pytest.raises(ToolRefused, match="1 times"):
        await tools.run("fee", {}, caller(), "c1:1:2")
    await tools.run("fee", {}, caller(), "c1:1:3", repeat=True)
    assert (figure(metrics, "fee", "done"), figure(metrics, "fee", "refused")) == (3, 1)


async def test_arguments_are_checked_again_before_they_are_used(store: Store, metrics: Metrics) -> None:
    tools = box(store, FunctionTool(fine, ORDER), metrics=metrics)
    with pytest.raises(ToolRefused, match="other is not an argument"):
        await tools.run("fee", {"other": "1"}, caller(), "k")
    with pytest.raises(ToolRefused, match="no tool of this name"):
        await tools.run("ghost", {}, caller(), "k")
    assert figure(metrics, "unknown", "refused") == 1, "strangers' names are no labels"


async def test_sources_bring_their_tools_while_running(store: Store) -> None:
    own = FunctionTool(fine, ORDER)
    bringer = Bringer(FunctionTool(fine, ORDER, "refund"), FunctionTool(fine, {}, "fee"))
    tools = box(store, own, sources=[bringer])
    with pytest.raises(ToolRefused):
        tools.tool("refund")
    async with tools.running():
        async with asyncio.timeout(5):
            while bringer.reason:
                await asyncio.sleep(0)
        assert [spec.name for spec in tools.specs()] == ["fee", "refund"]
        assert tools.tool("fee") is own, "the first one of a name counts"
        assert [origin for origin, _ in tools.listed()] == ["builtin or python", "openapi: crm"]
        (state,) = tools.sources()
        assert (state.name, state.kind, state.reason, state.tools) == ("crm", "openapi", "", ("fee", "refund"))
    assert bringer.stopped
