"""The staff's list and search on 10,000 conversations: how long each question to the store takes.

    python -m benchmarks.inbox sqlite:////tmp/inbox.db [--conversations 10000] [--messages 6]

Fills an empty store through its own queries, then asks each question some times and prints the median and the slowest
in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial

from config.settings import StoreSettings
from server.desk.search import Search
from server.desk.views import VIEWS, Filter, Views
from server.store.contract import Store, Tx
from server.store.open import open_store
from server.timeline import lock

TENANT = "bench"
TRIES = 15
UNIT = 50  # conversations per unit
WORDS = [
    "order",
    "parcel",
    "delivery",
    "refund",
    "invoice",
    "address",
    "broken",
    "late",
    "blanket",
    "chair",
    "table",
    "lamp",
    "colour",
    "size",
    "return",
    "exchange",
    "warranty",
    "payment",
    "card",
    "voucher",
    "account",
    "password",
    "email",
    "phone",
    "store",
    "opening",
    "hours",
    "monday",
    "gift",
    "receipt",
    "tracking",
    "number",
    "missing",
    "damaged",
    "wrong",
    "cancel",
    "change",
    "help",
    "please",
    "thanks",
    "when",
    "where",
    "how",
    "long",
]


async def fill(store: Store, conversations: int, messages: int) -> None:
    """Make conversations, a third of them waiting or claimed, with messages of ordinary words."""
    chance = random.Random(7)

    async def unit(first: int, tx: Tx) -> None:
        for number in range(first, min(first + UNIT, conversations)):
            await _conversation(tx, number, messages, chance)

    for first in range(0, conversations, UNIT):
        await store.write(partial(unit, first))


async def _conversation(tx: Tx, number: int, messages: int, chance: random.Random) -> None:
    key, now = f"c{number:06}", tx.now_s
    place = {"tenant": TENANT, "channel": chance.choice(("web", "telegram", "slack")), "account": "default"}
    await tx.run("conversations.create_customer", id=f"k{key}", tenant=TENANT, name=f"Customer {number}", now=now)
    await tx.run(
        "conversations.create_identity", **place, address=key, id=f"i{key}", customer_id=f"k{key}", verified=0,
        profile="{}", now=now,
    )  # fmt: skip
    await tx.run(
        "conversations.create", **place, address=key, id=key, identity_id=f"i{key}", customer_id=f"k{key}",
        language="en", now=now,
    )  # fmt: skip
    timeline = await lock(tx, key)
    for turn in range(messages):
        text = " ".join(chance.choices(WORDS, k=12))
        await timeline.say("customer" if turn % 2 == 0 else "assistant", f"{text} {number}", send=False)
    await timeline.save()
    if number % 3 == 0:
        await tx.run("inbox_views.priority", id=key, tenant=TENANT, priority=number % 4)


async def timed(name: str, ask: Callable[[], Awaitable[object]]) -> None:
    """Print how long a question takes."""
    took = []
    for _ in range(TRIES):
        started = time.perf_counter()
        await ask()
        took.append(1_000 * (time.perf_counter() - started))
    print(f"{name:28} {statistics.median(took):8.1f} {max(took):8.1f}")


async def main(url: str, conversations: int, messages: int) -> None:
    """Fill, index, ask."""
    store = open_store(url, StoreSettings())
    async with store.running():
        search, views = Search(store, TENANT), Views(store, TENANT)
        started = time.perf_counter()
        await fill(store, conversations, messages)
        filled = time.perf_counter()
        await search.catch_up()
        print(f"filled in {filled - started:.1f} s, indexed in {time.perf_counter() - filled:.1f} s")
        print(f"{'':28} {'median':>8} {'slowest':>8}  ms")
        await timed("counts of all views", lambda: views.counts("ana"))
        for view in ("", *VIEWS):
            wanted = Filter(view=view)
            await timed(f"page {view or 'without a view'}", lambda w=wanted: views.page("ana", w, 1e15, "", 51))  # type: ignore[misc]
        for sort in ("waiting", "priority"):
            wanted = Filter(view="all", sort=sort)
            await timed(f"page by {sort}", lambda w=wanted: views.page("ana", w, 1e15, "", 51))  # type: ignore[misc]
        ids = Filter(ids=tuple(f"c{number:06}" for number in range(20)))
        await timed("20 lines by id", lambda: views.page("ana", ids, 1e15, "", 51))
        for q in ("blanket", "blanket refund", "Customer 77", "9999", "nothing"):
            await timed(f"list with q={q}", lambda q=q: views.page("ana", Filter(q=q), 1e15, "", 51))  # type: ignore[misc]
            await timed(f"messages with {q}", lambda q=q: search.find(q, 1e15, "", 51))  # type: ignore[misc]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=6)
    given = parser.parse_args()
    asyncio.run(main(given.url, given.conversations, given.messages))
