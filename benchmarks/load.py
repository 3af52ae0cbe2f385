"""The load generator, a process of its own: messages over kept-alive connections, one visitor each or many.

    python -m benchmarks.load --url http://127.0.0.1:8080 --pid 1234 --mode closed --seconds 4

Modes: ``closed`` (each of ``--connections`` sends its next message when the last was acknowledged), ``open`` (a fixed
``--rate``; latency counts from the moment a message was due, so a stall is not hidden), ``drain`` (``--messages`` of
as many visitors, then wait until every turn has ended). Prints one JSON object; CPU is the server's, of the window.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from benchmarks.processes import cpu_s, rss_mb, tree_cpu_s

QUESTION = "Where is my order 4711? It should have come yesterday."
POLL_S = 0.05
DRAIN_S = 120.0
ENDED = re.compile(rb"^frontdesk_turns_total\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom messages come from: the head of their requests, ready to send."""

    head: bytes


class Connection:
    """One kept-alive HTTP/1.1 connection; only as much of the protocol as the two servers speak."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)

    async def open(self) -> Connection:
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
        return self

    async def close(self) -> None:
        self._writer.close()

    async def request(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        self._writer.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lowered = answer.lower()
        at = lowered.index(b"content-length:") + 15
        length = int(lowered[at : lowered.index(b"\r\n", at)])
        return int(answer[9:12]), await self._reader.readexactly(length) if length else b""


@dataclass(slots=True)
class Run:
    """What one run asks and what it saw; latencies in ms."""

    url: str
    kind: str
    latencies: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def head(self, method: str, path: str, token: str = "") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(self.url).netloc}", "Content-Type: application/json"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        return ("\r\n".join(lines) + "\r\n").encode()

    async def visitors(self, count: int) -> list[Visitor]:
        if self.kind == "bare":
            return [Visitor(self.head("POST", "/messages"))] * count
        connection = await Connection(self.url).open()
        found = []
        for _ in range(count):
            status, body = await connection.request(self.head("POST", "/web/session"), b'{"account":"default"}')
            assert status == 200, body
            session = json.loads(body)
            path = f"/web/conversations/{session['conversation_id']}/messages"
            found.append(Visitor(self.head("POST", path, session["token"])))
        await connection.close()
        return found

    async def send(self, connection: Connection, visitor: Visitor, due_s: float) -> None:
        body = json.dumps({"client_message_id": str(uuid.uuid4()), "text": QUESTION}).encode()
        status, _ = await connection.request(visitor.head, body)
        if status == 202:
            self.latencies.append((time.perf_counter() - due_s) * 1000)
        else:
            self.errors[str(status)] = self.errors.get(str(status), 0) + 1

    async def closed(self, visitors: list[Visitor], connections: int, seconds: float) -> None:
        end_s = time.perf_counter() + seconds
        line = deque(visitors)

        async def caller() -> None:
            connection = await Connection(self.url).open()
            while time.perf_counter() < end_s:
                line.rotate(-1)
                await self.send(connection, line[-1], time.perf_counter())
            await connection.close()

        await asyncio.gather(*[caller() for _ in range(connections)])

    async def opened(self, visitors: list[Visitor], rate: float, seconds: float) -> None:
        idle = [await Connection(self.url).open() for _ in range(16)]
        count = int(rate * seconds)
        began_s = time.perf_counter() + 0.1
        tasks = []

        async def one(number: int, due_s: float) -> None:
            connection = idle.pop() if idle else await Connection(self.url).open()
            await self.send(connection, visitors[number % len(visitors)], due_s)
            idle.append(connection)

        for number in range(count):
            due_s = began_s + number / rate
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            tasks.append(asyncio.create_task(one(number, due_s)))
        await asyncio.gather(*tasks)

    async def drained(self, visitors: list[Visitor], connections: int) -> float:
        """Send one message per visitor and wait for as many turns; returns the seconds the acknowledgements took."""
        before = await self._turns()
        line = deque(visitors)
        began_s = time.perf_counter()

        async def caller() -> None:
            connection = await Connection(self.url).open()
            while line:
                await self.send(connection, line.popleft(), time.perf_counter())
            await connection.close()

        await asyncio.gather(*[caller() for _ in range(connections)])
        sent_s = time.perf_counter() - began_s
        deadline = time.monotonic() + DRAIN_S
        while await self._turns() - before < len(visitors):
            if time.monotonic() > deadline:
                raise SystemExit(f"only {await self._turns() - before:g} of {len(visitors)} turns ended")
            await asyncio.sleep(POLL_S)
        return sent_s

    async def _turns(self) -> float:
        connection = await Connection(self.url).open()
        _, text = await connection.request(self.head("GET", "/metrics"), b"")
        await connection.close()
        return sum(float(number) for number in ENDED.findall(text))


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


async def measured(asked: argparse.Namespace) -> dict[str, object]:
    run = Run(asked.url, asked.kind)
    count = asked.messages if asked.mode == "drain" else asked.visitors
    visitors = await run.visitors(count)
    work: dict[str, Callable[[], Awaitable[float | None]]] = {
        "closed": lambda: run.closed(visitors, asked.connections, asked.seconds),
        "open": lambda: run.opened(visitors, asked.rate, asked.seconds),
        "drain": lambda: run.drained(visitors, asked.connections),
    }
    postgres_s = tree_cpu_s(asked.postmaster) if asked.postmaster else 0.0
    server_s, own_s, began_s = cpu_s(asked.pid), time.process_time(), time.perf_counter()
    acks_s = await work[asked.mode]()
    seconds = time.perf_counter() - began_s
    server_s, own_s = cpu_s(asked.pid) - server_s, time.process_time() - own_s
    postgres_s = tree_cpu_s(asked.postmaster) - postgres_s if asked.postmaster else 0.0
    messages = len(run.latencies)
    return {
        "messages": messages,
        "seconds": round(seconds, 3),
        "per_s": messages / seconds,
        "acks_per_s": messages / (acks_s or seconds),
        "cpu_us": server_s / max(1, messages) * 1e6,
        "postgres_us": postgres_s / max(1, messages) * 1e6,
        "load_us": own_s / max(1, messages) * 1e6,
        "p50_ms": quantile(run.latencies, 0.5),
        "p99_ms": quantile(run.latencies, 0.99),
        "max_ms": max(run.latencies, default=float("nan")),
        "rss_mb": rss_mb(asked.pid),
        "errors": run.errors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Messages to one server")
    parser.add_argument("--url", required=True)
    parser.add_argument("--pid", type=int, required=True, help="of the server, for its CPU time")
    parser.add_argument("--postmaster", type=int, default=0, help="of PostgreSQL, for its CPU time")
    parser.add_argument("--kind", choices=["bare", "frontdesk"], default="frontdesk")
    parser.add_argument("--mode", choices=["closed", "open", "drain"], default="closed")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--visitors", type=int, default=400)
    parser.add_argument("--messages", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rate", type=float, default=100.0)
    print(json.dumps(asyncio.run(measured(parser.parse_args()))))


if __name__ == "__main__":
    main()
