"""Servers written with the official SDK, started as programs and behind an address; they know nothing of us."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.tools.contract import Result, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.mcp_tools import McpSource
from server.tools.wire import GuardedHttp
from tests.places import until
from tests.server.tools.bench import caller, definition

SERVER = Path(__file__).parents[2] / "doubles" / "mcp_server.py"
START_S = 30.0  # the SDK is slow to import on a busy machine


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def noted(ledger: Path, tool: str = "") -> list[dict[str, Any]]:
    lines = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    return [entry for entry in map(json.loads, lines) if not tool or entry["tool"] == tool]


@asynccontextmanager
async def connected(source: McpSource) -> AsyncIterator[McpSource]:
    running = asyncio.create_task(source.run())
    try:
        await until(lambda: not source.reason, START_S)
        yield source
    finally:
        running.cancel()
        await asyncio.wait({running})


def program(ledger: Path, token: str = "", folder: Path | None = None, **more: Any) -> McpSource:
    command = (sys.executable, "-P", str(SERVER), "stdio", str(ledger))
    entry: dict[str, Any] = {"mcp": command, "timeout_s": 10.0} | more
    return McpSource(definition("shop", **entry), token, GuardedHttp(), folder, relist_s=0.5, pauses_s=(0.01,))


async def run(source: McpSource, tool: str, key: str = "c1:1:1", **arguments: Any) -> Result:
    return await source.tools()[tool].run(arguments, caller(subject="cust-7"), key)


async def test_a_program_is_a_source_of_tools(ledger: Path) -> None:
    async with connected(program(ledger)) as source:
        stock = source.tools()["shop_stock"]
        assert stock.spec.description == "How many of an article are there."
        assert stock.spec.parameters["required"] == ["sku"]
        assert (stock.policy.effect, stock.policy.confirm) == ("write", True), "what a server says is not believed"
        assert await run(source, "shop_stock", sku="abc", warehouse=2) == Result({"stock": 6})
        reserved = await run(source, "shop_reserve", key="c1:1:2", sku="abc", quantity=2)
        assert reserved.data == {"result": "2 of abc are yours"}
        assert noted(ledger, "reserve") == [{"tool": "reserve", "sku": "abc", "quantity": 2, "key": "c1:1:2"}]
        broken = await run(source, "shop_broken")
        assert not broken.ok
        with pytest.raises(ToolTimeout):
            await source.call("slow", {"seconds": 3.0}, "k", 0.3)
        assert (await run(source, "shop_stock", sku="a")).data == {"stock": 1}, "the connection outlives a time-out"
        several = await asyncio.gather(*(run(source, "shop_stock", sku="x" * n) for n in range(1, 6)))
        assert [result.data["stock"] for result in several] == [1, 2, 3, 4, 5]


async def test_a_program_sees_a_clean_environment(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTDESK_MODEL__API_KEY", "secret-of-frontdesk")
    monkeypatch.setenv("PGPASSWORD", "secret-of-the-database")
    entry = {"token_env": "SHOP_TOKEN", "operations": ("environment",)}
    async with connected(program(ledger, "t0ken", tmp_path / "logs", **entry)) as source:
        assert source.tools().keys() == {"shop_environment"}
        seen = (await run(source, "shop_environment")).data
    assert seen["SHOP_TOKEN"] == "t0ken"
    assert "secret-of" not in json.dumps(dict(seen))
    assert (tmp_path / "logs" / "mcp-shop.log").exists()


async def test_a_program_that_dies_is_started_again(ledger: Path) -> None:
    async with connected(program(ledger)) as source:
        await run(source, "shop_stock", sku="a")
        with pytest.raises(ToolUnavailable):
            await run(source, "shop_die")
        async with asyncio.timeout(START_S):
            while True:
                try:
                    await run(source, "shop_stock", sku="b")
                    break
                except ToolUnavailable as error:
                    told = str(error)
                assert told == "the server of shop is away; it is started again by itself"
        first, second = (entry["pid"] for entry in noted(ledger, "stock"))
        assert first != second
        os.kill(second, signal.SIGKILL)  # noticed by the next look at the list, without any call
        await until(lambda: source.reason, START_S)
        await until(lambda: not source.reason, START_S)


async def test_a_program_ends_with_its_source(ledger: Path) -> None:
    async with connected(program(ledger)) as source:
        await run(source, "shop_stock", sku="a")
        pid = noted(ledger)[0]["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_program_that_cannot_start_says_so(tmp_path: Path) -> None:
    source = McpSource(definition("shop", mcp=("/nowhere/server",)), "", GuardedHttp(), pauses_s=(0.01,))
    running = asyncio.create_task(source.run())
    await until(lambda: "FileNotFoundError" in source.reason, START_S)
    with pytest.raises(ToolUnavailable, match="server of shop is away"):
        await source.call("stock", {}, "k", 0.05)
    running.cancel()
    await asyncio.wait({running})
    assert source.tools() == {}
    del tmp_path


@asynccontextmanager
async def listening(ledger: Path, port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-P", str(SERVER), "http", str(port), str(ledger)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_an_address_is_a_source_of_tools_and_may_go_away(ledger: Path, http: GuardedHttp) -> None:
    port = free_port()
    address: dict[str, Any] = {"mcp_url": f"http://127.0.0.1:{port}/mcp", "allow_hosts": (f"127.0.0.1:{port}",)}
    source = McpSource(
        definition("shop", effect="read", timeout_s=5.0, **address), "t0ken", http, relist_s=0.5, pauses_s=(0.05,)
    )
    async with listening(ledger, port):
        running = asyncio.create_task(source.run())
        await until(lambda: not source.reason, START_S)
        assert await run(source, "shop_stock", sku="abc") == Result({"stock": 3})
        await run(source, "shop_reserve", key="c1:1:9", sku="abc", quantity=1)
        assert noted(ledger, "reserve")[0]["key"] == "c1:1:9"
        assert not (await source.call("nothing", {}, "k", 5.0)).ok
    with pytest.raises((ToolUnavailable, ToolTimeout)):
        await run(source, "shop_stock", sku="abc")
    async with listening(ledger, port):
        await until(lambda: not source.reason, START_S)
        assert await run(source, "shop_stock", sku="ab") == Result({"stock": 2})
        running.cancel()
        await asyncio.wait({running})


async def test_a_private_address_must_be_allowed(http: GuardedHttp) -> None:
    entry = definition("shop", mcp_url="http://127.0.0.1:9/mcp")
    source = McpSource(entry, "", http, pauses_s=(0.01,))
    running = asyncio.create_task(source.run())
    await until(lambda: "port 9" in source.reason or "allow_hosts" in source.reason, START_S)
    running.cancel()
    await asyncio.wait({running})


async def test_what_the_server_refuses_is_told(ledger: Path) -> None:
    async with connected(program(ledger)) as source:
        try:
            answer = await run(source, "shop_stock", warehouse="many")
        except ToolRefused:
            return
        assert not answer.ok
