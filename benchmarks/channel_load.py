"""Signed deliveries over kept-alive connections, a process of its own; every message is signed before the clock runs.

    python -m benchmarks.channel_load --line slack --url http://127.0.0.1:8080 --pid 1234 --mode closed

Modes: ``closed`` (each connection sends its next message when the last was acknowledged), ``open`` (a fixed rate;
latency counts from the moment a message was due), ``cycle`` (``--messages``, then wait until the platform at ``--api``
has got as many answers). Prints one JSON object; CPU is the server's, of the window.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvloop

from benchmarks.channel_lines import LINES, Message
from benchmarks.channel_platform import SENDS
from benchmarks.load import Connection, quantile
from benchmarks.processes import cpu_s, rss_mb, tree_cpu_s

POLL_S = 0.02
CYCLE_S = 90.0


class Wire(Connection):
    """Also reads answers without a body length, as 204 has none."""

    async def open(self) -> Wire:
        await super().open()
        return self

    async def deliver(self, request: bytes) -> int:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        at = head.find(b"content-length:")
        if at > 0 and (length := int(head[at + 15 : head.index(b"\r\n", at)])):
            await self._reader.readexactly(length)
        return status


@dataclass(slots=True)
class Run:
    """What one run sends and what it saw; latencies in ms."""

    asked: argparse.Namespace
    waiting: list[bytes] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    acked_s: float = 0.0

    def prepare(self, count: int) -> None:
        """Sign ``count`` distinct messages; the last is sent first."""
        line, asked = LINES[self.asked.line], self.asked
        host, first = urlsplit(asked.url).netloc, time.time_ns() // 1000  # microseconds: no run repeats a key
        for number in range(count):
            customer = asked.first_customer + number % asked.customers
            account = customer % asked.accounts
            path = line.address(account)
            message = Message(first - number, customer, account, f"{asked.url}{path}")
            headers, body = line.signed(message)
            fields = {"Host": host, "User-Agent": "benchmark/1.0", "Accept": "*/*", **headers}
            lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
            head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode()
            self.waiting.append(head + body)

    async def send(self, wire: Wire, due_s: float) -> None:
        status = await wire.deliver(self.waiting.pop())
        if status // 100 == 2:
            self.latencies.append((time.perf_counter() - due_s) * 1000)
        else:
            self.errors[str(status)] += 1

    async def closed(self, seconds: float) -> None:
        end_s = time.perf_counter() + seconds
        wires = [await Wire(self.asked.url).open() for _ in range(self.asked.connections)]

        async def caller(wire: Wire) -> None:
            while self.waiting and time.perf_counter() < end_s:
                await self.send(wire, time.perf_counter())
            await wire.close()

        await asyncio.gather(*map(caller, wires))
        self.acked_s = time.perf_counter()

    async def opened(self) -> None:
        idle = [await Wire(self.asked.url).open() for _ in range(16)]
        began_s, tasks = time.perf_counter() + 0.1, []

        async def one(due_s: float) -> None:
            wire = idle.pop() if idle else await Wire(self.asked.url).open()
            await self.send(wire, due_s)
            idle.append(wire)

        for number in range(len(self.waiting)):
            due_s = began_s + number / self.asked.rate
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            tasks.append(asyncio.create_task(one(due_s)))
        await asyncio.gather(*tasks)

    async def cycled(self) -> dict[str, int]:
        """Send all, and wait for an answer to each that was accepted; returns the calls by method."""
        before = await self._calls()
        await self.closed(CYCLE_S)
        count = len(self.latencies)
        end_s = time.monotonic() + CYCLE_S
        while True:
            calls = {name: number - before.get(name, 0) for name, number in (await self._calls()).items()}
            if (sent := sum(number for name, number in calls.items() if name in SENDS)) >= count:
                return calls
            if time.monotonic() > end_s:
                raise SystemExit(f"only {sent} of {count} answers came: {calls}, refused: {dict(self.errors)}")
            await asyncio.sleep(POLL_S)

    async def _calls(self) -> dict[str, int]:
        wire = await Connection(self.asked.api).open()
        head = f"GET /calls HTTP/1.1\r\nHost: {urlsplit(self.asked.api).netloc}\r\n"
        _, body = await wire.request(head.encode(), b"")
        await wire.close()
        calls: dict[str, int] = json.loads(body)
        return calls


async def measured(asked: argparse.Namespace) -> dict[str, object]:
    run = Run(asked)
    counts = {"closed": int(asked.seconds * asked.most_per_s), "open": int(asked.seconds * asked.rate)}
    run.prepare(counts.get(asked.mode, asked.messages))
    postgres_s = tree_cpu_s(asked.postmaster) if asked.postmaster else 0.0
    server_s, own_s, began_s = cpu_s(asked.pid), time.process_time(), time.perf_counter()
    calls: dict[str, int] = {}
    if asked.mode == "closed":
        await run.closed(asked.seconds)
    elif asked.mode == "open":
        await run.opened()
    else:
        calls = await run.cycled()
    seconds = time.perf_counter() - began_s
    messages = max(1, len(run.latencies))
    server_s, own_s = cpu_s(asked.pid) - server_s, time.process_time() - own_s
    postgres_s = tree_cpu_s(asked.postmaster) - postgres_s if asked.postmaster else 0.0
    return {
        "messages": len(run.latencies),
        "seconds": round(seconds, 3),
        "per_s": messages / seconds,
        "acks_per_s": messages / (run.acked_s - began_s if run.acked_s else seconds),
        "cpu_us": server_s / messages * 1e6,
        "postgres_us": postgres_s / messages * 1e6,
        "load_us": own_s / messages * 1e6,
        "p50_ms": quantile(run.latencies, 0.5),
        "p99_ms": quantile(run.latencies, 0.99),
        "max_ms": max(run.latencies, default=float("nan")),
        "rss_mb": rss_mb(asked.pid),
        "calls": calls,
        "errors": run.errors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Signed deliveries to one server")
    parser.add_argument("--line", choices=sorted(LINES), required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--pid", type=int, required=True, help="of the server, for its CPU time")
    parser.add_argument("--postmaster", type=int, default=0, help="of PostgreSQL, for its CPU time")
    parser.add_argument("--api", default="", help="of the platform that counts answers")
    parser.add_argument("--mode", choices=["closed", "open", "cycle"], default="closed")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--first-customer", type=int, default=0)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--most-per-s", type=float, default=9_000.0, help="messages signed for a second of closed")
    parser.add_argument("--rate", type=float, default=100.0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measured(parser.parse_args()))))


if __name__ == "__main__":
    main()
