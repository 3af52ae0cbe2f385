"""The desk's figures of the simulated month beside a count from the events, which shares no code with them."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.month_count import count
from config.insight import Analytics
from server.analytics.metrics import figures
from server.analytics.periods import cut
from server.analytics.reading import By, Filters, Reading
from server.store.contract import Row, Store

TENANT = "month"
BEGIN_S = 1_790_812_800.0  # 2026-10-01, UTC
RELEASES = ("release-a", "release-b")
PRICES = Analytics(prompt_price=2.0, completion_price=8.0)
EVENTS_PAGE = 5_000


async def events_of(store: Store) -> list[Row]:
    """Every event, as it lies in the store."""
    found: list[Row] = []
    while page := await store.rows(
        "store.events_since", tenant=TENANT, after=found[-1]["number"] if found else 0, limit=EVENTS_PAGE
    ):
        found += page
    return found


async def compare(store: Store, now_s: float) -> list[str]:
    """What the server's figures and the independent count do not agree on: nothing, if all is well."""
    reading = Reading(store, TENANT, PRICES)
    zone = ZoneInfo("Europe/Berlin")
    period = cut(BEGIN_S, now_s, "day", zone)
    events = await events_of(store)
    plain = [(row["conversation_id"], row["kind"], row["created_at"], json.loads(row["body"])) for row in events]
    prices = (PRICES.prompt_price, PRICES.completion_price)
    found = []
    asked: list[dict[str, str]] = [{}, {"channel": "web"}, {"language": "de"}, {"release": RELEASES[1]}]
    asked += [{"channel": "whatsapp", "language": "es", "release": RELEASES[0]}]
    for chosen in asked:
        summary = await reading.summary(period, Filters(**chosen), zone, now_s)
        ours = figures(summary.now) | {"reasons": dict(summary.now.reasons)}
        theirs = count(plain, BEGIN_S, now_s, now_s, prices, **chosen)
        found += [
            f"{chosen} {name}: {ours[name]} is {theirs[name]}" for name in ours if not same(ours[name], theirs[name])
        ]
    splits: tuple[By, ...] = ("none", "channel", "language", "release")
    for by in splits:
        for piece in await reading.series(period, Filters(), by, now_s):
            end = period.end(period.piece(piece.start))
            chosen = {by: piece.key} if by != "none" else {}
            theirs = count(plain, piece.start, end, now_s, prices, **chosen)
            for name, value in figures(piece.sums).items():
                if not same(value, theirs[name]):
                    found.append(f"{by} {piece.key} {piece.start:.0f} {name}: {value} is {theirs[name]}")
    return found


def same(ours: Any, theirs: Any) -> bool:
    """Equal, for sums of seconds up to the order in which they were added."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return abs(ours - theirs) <= 1e-9 * max(1.0, abs(ours))
    return bool(ours == theirs)


async def facts_of(store: Store) -> list[tuple[Any, ...]]:
    """All facts of cases, to compare two foldings."""
    rows = await store.rows(
        "analytics.cases", tenant=TENANT, since=0.0, until=1e11, at=-1.0, id="", count=10_000_000, channel="",
        language="", release="",
    )  # fmt: skip
    return [tuple(row.values()) for row in rows]
