import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from config.settings import StoreSettings
from server.routes import Role
from server.store.contract import Listener, Row, Store, StoreUnavailable, Value
from server.store.open import open_store
from server.switch import EVERYWHERE, POLL_S, BotSwitch
from tests.server.desk import CLI, TENANT, Desk


class AwayStore:
    """A store whose reads fail while it is told to be away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = False
        self.asked = asyncio.Event()

    async def rows(self, query: str, /, **values: Value) -> Sequence[Row]:
        self.asked.set()
        if self.away:
            raise StoreUnavailable("away")
        return await self._store.rows(query, **values)

    def listen(self, _topic: str, _listener: Listener) -> Callable[[], None]:
        return lambda: None


async def until(condition: Callable[[], bool], deadline_s: float = 5.0) -> float:
    """Seconds until the condition holds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < deadline_s, "the condition did not come true"
        await asyncio.sleep(0.005)
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("place", "silent"),
    [
        ((EVERYWHERE, EVERYWHERE), {("web", "default"), ("web", "b"), ("slack", "default")}),
        (("web", EVERYWHERE), {("web", "default"), ("web", "b")}),
        (("web", "b"), {("web", "b")}),
    ],
)
async def test_off_anywhere_up_the_line_means_silent(both_desk: Desk, place: tuple[str, str], silent: set):
    await both_desk.switch.set(CLI, *place, silent=True)
    places = {("web", "default"), ("web", "b"), ("slack", "default")}
    assert {known for known in places if both_desk.switch.silent(*known)} == silent
    await both_desk.switch.set(CLI, *place, silent=False)
    assert not any(both_desk.switch.silent(*known) for known in places)
    rows = await both_desk.audit_rows("switch.set")
    assert [row["target"] for row in rows] == ["/".join(place)] * 2


async def test_another_process_follows_within_a_second(both_desk: Desk, store_url: str):
    other_store = open_store(store_url, StoreSettings())
    async with other_store.running():
        command_line = BotSwitch(other_store, TENANT)  # never started: the command line only sets and leaves
        await command_line.set(CLI, EVERYWHERE, EVERYWHERE, silent=True)
        assert await until(lambda: both_desk.switch.silent("web", "default")) <= POLL_S + 0.5
        stranger = BotSwitch(other_store, "other")
        await stranger.load()
        assert not stranger.silent("web", "default")


async def test_the_last_state_is_kept_while_the_store_is_away(desk: Desk):
    store = AwayStore(desk.store)
    switch = BotSwitch(store, TENANT)
    await desk.switch.set(CLI, "web", "*", silent=True)
    async with switch.running():
        assert switch.silent("web", "default")
        store.away = True
        for _ in range(2):
            store.asked.clear()
            await asyncio.wait_for(store.asked.wait(), 5)
        assert switch.silent("web", "default")
        store.away = False
        await desk.switch.set(CLI, "web", "*", silent=False)
        await until(lambda: not switch.silent("web", "default"))


async def test_staff_may_pull_the_brake_and_everybody_sees_it(both_desk: Desk):
    staff = await both_desk.signed_in(Role.STAFF)
    answer = await staff.call("PUT", "/api/switch", {"channel": "*", "account": "*", "silent": True})
    state = await answer.json()
    assert state["silent"] is True
    assert state["rows"][0]["changed_by"] == "person-staff@example.com"
    assert both_desk.switch.silent("web", "default")
    assert (await (await staff.call("GET", "/api/switch")).json()) == state
