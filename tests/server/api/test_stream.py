"""The event stream over a real socket: order, resuming, slow and vanished readers, the server's end."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from server.api.stream import BATCH, EventStream, frame
from server.hub import Hub
from server.store.contract import Row, StoreUnavailable, Tx
from server.timeline import lock
from tests.places import Place, until
from tests.server.engine.bench import Bench, bench


@dataclass
class Reader:
    """What one connection showed: (id, kind, data); comments have the kind ``:``."""

    frames: list[tuple[int | None, str, Any]] = field(default_factory=list)
    ended: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        return [event_id for event_id, _, _ in self.frames if event_id is not None]

    @property
    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.frames]

    def of(self, kind: str) -> list[Any]:
        return [data for _, name, data in self.frames if name == kind]

    def take(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        if "event" in fields:
            event_id = int(fields["id"]) if "id" in fields else None
            self.frames.append((event_id, fields["event"], json.loads(fields["data"])))
        else:
            self.frames.append((None, ":", fields[""]))


class Site:
    """One conversation's stream behind a loopback server."""

    def __init__(self, one: Bench) -> None:
        self.one = one
        self.hub = Hub(one.store, interval_s=0.01)
        self.closing = asyncio.Event()
        self.times: dict[str, float] = {}
        self.store: Any = one.store
        self._stack = AsyncExitStack()
        self._readers: list[asyncio.Task[None]] = []
        app = web.Application()
        app.router.add_get("/events", self.events)
        self.server = TestServer(app, host="127.0.0.1")

    async def events(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after")
        stream = EventStream(
            self.store, self.hub, "c1", int(after) if after is not None else None, self.closing, **self.times
        )
        return await stream.serve(request)

    async def read(self, after: int | None = None) -> Reader:
        reader = Reader()
        opened = asyncio.Event()
        self._readers.append(asyncio.create_task(self._read(reader, after, opened)))
        await asyncio.wait_for(opened.wait(), 5)
        return reader

    async def _read(self, reader: Reader, after: int | None, opened: asyncio.Event) -> None:
        url = self.server.make_url("/events" if after is None else f"/events?after={after}")
        async with ClientSession(timeout=ClientTimeout(total=None)) as http, http.get(url) as response:
            reader.headers = dict(response.headers)
            opened.set()
            buffer = ""
            async for data in response.content.iter_any():
                *blocks, buffer = (buffer + data.decode()).split("\n\n")
                for block in blocks:
                    reader.take(block)
        reader.ended = True

    async def leave(self) -> None:
        for task in self._readers:
            task.cancel()
        if self._readers:
            await asyncio.wait(self._readers)
        self._readers.clear()

    async def emit(self, *bodies: dict[str, Any], kind: str = "feedback", audience: str = "customer") -> None:
        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, "c1")
            for body in bodies:
                timeline.emit(kind, body, audience=audience)
            await timeline.save()

        await self.one.write(unit)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    place = Place("sqlite", f"sqlite:///{tmp_path}/desk.db")
    async with bench(place, tmp_path, real_clock=True) as one:
        await one.say()  # events 1 (case_opened, staff only) and 2 (the message)
        served = Site(one)
        async with served.hub.running():
            await served.server.start_server()
            try:
                yield served
            finally:
                served.closing.set()
                served.hub.wake("")
                await served.leave()
                await served.server.close()


def test_the_format_of_a_frame():
    assert frame("draft", {"text": "é\n"}) == 'event: draft\ndata: {"text": "é\\n"}\n\n'
    assert frame("message", '{"a":1}', 7) == 'id: 7\nevent: message\ndata: {"a":1}\n\n'
    assert frame("message", "{}", 0).startswith("id: 0\n")


async def test_from_the_beginning_in_order_and_live(site: Site):
    reader = await site.read()
    await until(lambda: reader.ids == [2])
    assert reader.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert reader.headers["Cache-Control"] == "no-store, no-transform"
    assert reader.frames[0] == (None, ":", "hello")
    await site.emit({"n": 1}, {"n": 2})
    await site.emit({"n": 3}, audience="staff")
    await site.emit({"n": 4})
    await until(lambda: len(reader.ids) == 4)
    assert reader.ids == [2, 3, 4, 6]
    assert [event["n"] for event in reader.of("feedback")] == [1, 2, 4]
    assert "case_opened" not in reader.kinds, "what is for staff never leaves here"


async def test_nothing_yet_is_a_stream_too(site: Site):
    await site.one.write(lambda tx: tx.run("bench.forget_events", id="c1"))
    reader = await site.read()
    await until(lambda: reader.of("status") == [{"model": "loading"}])
    assert reader.ids == []


@pytest.mark.parametrize("after", [0, 2, 4])
async def test_resuming_repeats_and_skips_nothing(site: Site, after: int):
    await site.emit({"n": 3}, {"n": 4}, {"n": 5})
    reader = await site.read(after)
    await until(lambda: reader.ids and reader.ids[-1] == 5)
    assert reader.ids == [number for number in (2, 3, 4, 5) if number > after]
    assert not reader.of("reset")


@pytest.mark.parametrize("after", [99, 10**18])
async def test_an_id_of_the_future_resets_to_the_end(site: Site, after: int):
    reader = await site.read(after)
    await until(lambda: reader.of("reset") == [{"last_event_id": 2}])
    await site.emit({"n": 3})
    await until(lambda: reader.ids == [3])
    assert reader.of("message") == [], "the page reads the snapshot instead"


async def test_an_id_older_than_what_is_kept_resets(site: Site):
    await site.emit(*({"n": number} for number in range(5)))
    await site.one.write(lambda tx: tx.run("bench.forget_events_upto", id="c1", upto=4))
    behind, kept = await site.read(1), await site.read(4)
    await until(lambda: behind.of("reset") == [{"last_event_id": 7}])
    await until(lambda: kept.ids == [5, 6, 7])
    assert not kept.of("reset")


async def test_when_everything_was_purged_only_the_end_is_no_gap(site: Site):
    await site.one.write(lambda tx: tx.run("bench.forget_events", id="c1"))
    behind, at_the_end = await site.read(1), await site.read(2)
    await until(lambda: behind.of("reset") == [{"last_event_id": 2}])
    await until(lambda: at_the_end.of("status"))
    assert not at_the_end.of("reset")


async def test_a_long_history_comes_whole(site: Site):
    await site.emit(*({"n": number} for number in range(2 * BATCH + 5)))
    reader = await site.read(2)
    await until(lambda: len(reader.ids) == 2 * BATCH + 5)
    assert reader.ids == list(range(3, 2 * BATCH + 8))
    assert reader.kinds.index("status") > reader.kinds.index("feedback"), "live frames belong after committed ones"


async def opened(site: Site) -> Any:
    lease = await site.one.take_one()
    begun = await site.one.begin(lease)
    return site.hub.begin("c1", "c1:1", begun.attempt)


async def test_draft_text_comes_after_its_opening_and_continues(site: Site):
    early = await site.read()
    draft = await opened(site)
    site.hub.append(draft, "Hällo ")
    await until(lambda: early.of("draft"))
    late = await site.read()
    resumed = await site.read(3)
    site.hub.append(draft, "wörld 😀 ")
    site.hub.append(draft, "end")
    for reader in (early, late, resumed):
        await until(lambda reader=reader: "".join(f["text"] for f in reader.of("draft")) == draft.text)
        length = 0
        for part in reader.of("draft"):
            assert (part["turn"], part["attempt"], part["offset"]) == ("c1:1", 1, length)
            length += len(part["text"])
    for reader in (early, late):
        assert reader.kinds.index("draft_started") < reader.kinds.index("draft")
    assert "draft_started" not in resumed.kinds
    assert all(event_id is None for event_id, kind, _ in early.frames if kind == "draft"), "drafts cannot be resumed at"


async def test_a_new_attempt_starts_at_zero_and_an_ended_draft_says_no_more(site: Site):
    reader = await site.read()
    first = await opened(site)
    site.hub.append(first, "wrong")
    await until(lambda: reader.of("draft"))
    lease_of_first = await site.one.row("lane", kind="in", key="c1")
    assert lease_of_first["holder"]

    async def again(tx: Tx) -> None:
        timeline = await lock(tx, "c1")
        await timeline.end_drafts("replaced")
        timeline.emit("draft_started", {"turn": "c1:1", "attempt": 2})
        await timeline.save()

    await site.one.write(again)
    second = site.hub.begin("c1", "c1:1", 2)
    site.hub.append(second, "right")
    await until(lambda: len(reader.of("draft")) == 2)
    assert [(part["attempt"], part["offset"], part["text"]) for part in reader.of("draft")] == [
        (1, 0, "wrong"),
        (2, 0, "right"),
    ]
    await site.emit({"turn": "c1:1", "attempt": 2, "how": "withdrawn"}, kind="draft_ended")
    await until(lambda: len(reader.of("draft_ended")) == 2)
    site.hub.append(second, " too late")
    await site.emit({"last": True})
    await until(lambda: reader.of("feedback"))
    assert len(reader.of("draft")) == 2


async def test_half_a_surrogate_pair_does_not_end_the_stream(site: Site):
    reader = await site.read()
    draft = await opened(site)
    site.hub.append(draft, "a\ud83d")
    site.hub.append(draft, "b")
    await until(lambda: "".join(part["text"] for part in reader.of("draft")) == "a?b")


async def test_a_draft_written_elsewhere_is_asked_for_once_a_second(site: Site):
    asked: list[str] = []
    site.one.store.listen("draft_request", lambda _topic, payload: asked.append(payload))
    await site.one.begin(await site.one.take_one())
    reader = await site.read()
    await until(lambda: asked == ["c1"])
    await site.emit({"n": 1}, {"n": 2})
    await until(lambda: len(reader.of("feedback")) == 2)
    assert asked == ["c1"], "not again at once"
    await site.one.store.publish("draft", json.dumps(["other-worker", "c1", "c1:1", 1, 0, "from afar"]))
    await until(lambda: reader.of("draft"))
    assert reader.of("draft")[0]["text"] == "from afar"


async def test_the_state_of_the_model_is_told_when_it_changes(site: Site):
    reader = await site.read()
    await until(lambda: reader.of("status") == [{"model": "loading"}])
    await site.hub.tell_model_state("ready")
    await until(lambda: reader.of("status") == [{"model": "loading"}, {"model": "ready"}])


async def test_heartbeats_only_when_it_is_quiet(site: Site):
    site.times = {"heartbeat_s": 0.05}
    reader = await site.read()
    await until(lambda: reader.of(":").count("ping") >= 3)
    assert reader.ids == [2]


async def test_signing_out_ends_every_stream(site: Site):
    readers = [await site.read() for _ in range(3)]
    await site.emit({}, kind="session_ended")
    await site.emit({"n": "for nobody"})
    for reader in readers:
        await until(lambda reader=reader: reader.ended)
        assert reader.kinds[-1] == "session_ended"
    await until(lambda: site.hub.readers == 0)


async def test_a_session_that_ended_before_the_first_news_is_told_nothing_after_it(site: Site):
    """A slow start: the opening was read, then the session ended, and the state of the model is news as well."""
    stream = EventStream(site.one.store, site.hub, "c1", None, site.closing)
    await stream._opening()
    await site.emit({}, kind="session_ended")
    with site.hub.subscribed("c1") as subscription:
        frames = await stream._news(subscription)
    assert "session_ended" in frames[-1]


async def test_when_the_server_stops_readers_are_told_to_resume(site: Site):
    reader = await site.read()
    await until(lambda: reader.ids == [2])
    site.closing.set()
    site.hub.wake("")
    await until(lambda: reader.ended)
    assert reader.frames[-1] == (None, "resume", {})
    late = await site.read()
    await until(lambda: late.ended)
    assert late.kinds[-1] == "resume", "also who comes while it stops"


@asynccontextmanager
async def silent_reader(site: Site, after: str = "") -> AsyncIterator[socket.socket]:
    """A connection that asks for the stream and never reads."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", site.server.port))
        request = f"GET /events{after} HTTP/1.1\r\nHost: desk\r\n\r\n".encode()
        await asyncio.get_running_loop().sock_sendall(raw, request)
        await until(lambda: site.hub.readers)
        yield raw


async def test_a_reader_that_takes_nothing_is_dropped(site: Site):
    site.times = {"stalled_s": 0.2}
    big = {"text": "x" * 8_000}
    with capture_logs() as logs:
        async with silent_reader(site):
            for _ in range(3):
                await site.emit(*[big] * 100)
            await until(lambda: site.hub.readers == 0, 10)
    assert [entry["event"] for entry in logs if entry["event"].startswith("reader")] == ["reader_stalled"]


async def test_a_slow_reader_does_not_slow_down_others(site: Site):
    async with silent_reader(site):
        reader = await site.read()
        for _ in range(3):
            await site.emit(*[{"text": "x" * 8_000}] * 100)
        await until(lambda: len(reader.of("feedback")) == 300, 10)
        assert site.hub.readers == 2


async def test_a_reader_that_vanishes_is_forgotten(site: Site):
    with capture_logs() as logs:
        async with silent_reader(site):
            pass
        for _ in range(20):
            await site.emit({"n": 1})
        await until(lambda: site.hub.readers == 0)
    assert not [entry for entry in logs if entry["log_level"] in {"warning", "error"}]


class LosesItsDatabase:
    """A store that answers a few reads and then none."""

    def __init__(self, inner: Any, reads: int) -> None:
        self._inner = inner
        self._left = reads

    async def rows(self, query: str, /, **values: Any) -> list[Row]:
        self._left -= 1
        if self._left < 0:
            raise StoreUnavailable("the database went away")
        return await self._inner.rows(query, **values)  # type: ignore[no-any-return]

    async def row(self, query: str, /, **values: Any) -> Row | None:
        rows = await self.rows(query, **values)
        return rows[0] if rows else None


async def test_without_a_database_the_stream_ends_so_that_the_page_comes_back(site: Site):
    site.store = LosesItsDatabase(site.one.store, 2)
    with capture_logs() as logs:
        reader = await site.read()
        await until(lambda: reader.ids == [2])
        await site.emit({"n": 1})
        await until(lambda: reader.ended)
    (entry,) = [entry for entry in logs if entry["event"] == "reader_dropped"]
    assert entry["error"] == "StoreUnavailable"
    assert site.hub.readers == 0
