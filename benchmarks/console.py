"""The console in real Chromium on 10,000 conversations: live messages, start, scrolling.

    python -m benchmarks.console [--conversations 10000] [--messages 40] [--log FILE]

A desk with a model double; one member of staff with the inbox open. *Live* is the time from the moment at which a
customer's message goes over HTTP to the moment at which the page's own observer sees its words. *Interactive* is the
time from the start of a navigation to the first conversation that can be clicked, with an empty and with a filled
cache. *Frames* are the gaps between animation frames while the list is scrolled from its top down, page by page.
Needs the test tools (Chromium, playwright).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.clerk import Clerk, amend, at_work, columns_of, hired
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.scenario import Service, Visitor, desk

STARTS = 8
SEEN = """words => new Promise(done => {
    const there = () => [...document.querySelectorAll(".said.customer")].some(said => said.textContent.includes(words));
    if (there()) return done(Date.now());
    const eye = new MutationObserver(() => { if (there()) { eye.disconnect(); done(Date.now()); } });
    eye.observe(document.body, { childList: true, subtree: true, characterData: true });
})"""
SCROLL = """async pixels => {
    const list = document.querySelector(".virtual"), gaps = [];
    let before = performance.now();
    for (let at = 0; at < pixels; at += 40) {
        list.scrollTop = at;
        const now = await new Promise(requestAnimationFrame);
        gaps.push(now - before);
        before = now;
    }
    return gaps.slice(1);
}"""


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and worst, rounded; the unit is that of the values."""
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 1),
        "max": round(ordered[-1], 1),
        "n": len(ordered),
    }


async def live(page: Page, visitor: Visitor, count: int) -> list[float]:
    """Milliseconds from a customer's request to its words on the page."""
    took = []
    for number in range(count):
        words = f"live message {number} end"
        seen = asyncio.create_task(page.evaluate(SEEN, words))
        await asyncio.sleep(0.05)  # the observer watches before anything is sent
        started = time.time()
        await visitor.say(words)
        took.append(await seen - started * 1_000)
    return took


async def start(browser: Browser, service: Service, state: Any, *, fresh: bool) -> list[float]:
    """Milliseconds from a navigation to the first row that can be clicked; ``state`` holds the session's cookie."""
    took: list[float] = []
    context = await browser.new_context(storage_state=state, viewport={"width": 1440, "height": 900})
    for number in range(STARTS + 1):
        if fresh:
            await context.close()
            context = await browser.new_context(storage_state=state, viewport={"width": 1440, "height": 900})
        page = await context.new_page()
        started = time.monotonic()
        await page.goto(f"{service.base}/console/inbox", wait_until="commit")
        await page.locator(".row").first.click(trial=True)
        took += [(time.monotonic() - started) * 1_000] if number else []  # the first one fills the server's caches
        await page.close()
    await context.close()
    return took


def multiply(folder: Path, conversation: str, count: int) -> None:
    """Copies of one conversation, each a second older than the one before."""
    columns = columns_of(folder, "conversation")
    fresh = {"id": "'many-' || n", "address": "'many-' || n", "updated_at": "updated_at - n"}
    kept = ", ".join(fresh.get(name, name) for name in columns)
    text = (
        f"with recursive many(n) as (select 1 union all select n + 1 from many where n < {count}) "
        f"insert into conversation ({', '.join(columns)}) select {kept} from conversation, many where id = ?"
    )
    amend(folder, [(text, (conversation,))])


async def scrolled(page: Page, conversations: int) -> list[float]:
    """Gaps between frames, milliseconds, over a whole list that was loaded page by page."""
    async with asyncio.timeout(120):
        while int(await page.locator("li[aria-setsize]").first.get_attribute("aria-setsize") or 0) <= conversations:
            await page.locator(".virtual").evaluate("node => { node.scrollTop = node.scrollHeight }")
    gaps: list[float] = await page.evaluate(SCROLL, 24_000)
    return gaps


async def run(conversations: int, messages: int) -> dict[str, Any]:
    """Every figure, in milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with desk(f"sqlite:///{folder}/desk.db", folder) as service, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            visitor = await service.visitor()
            await visitor.say("Hello")
            await visitor.answered(1)
            multiply(folder, visitor.conversation, conversations)
            clerk: Clerk = await at_work(browser, service, await hired(service))
            state = await clerk.context.storage_state()
            page = await clerk.page(f"/console/inbox/{visitor.conversation}")
            await page.locator('.shell[data-connection="live"]').wait_for()
            report = {"conversations": conversations, "live_ms": spread(await live(page, visitor, messages))}
            await page.close()
            report["interactive_empty_cache_ms"] = spread(await start(browser, service, state, fresh=True))
            report["interactive_ms"] = spread(await start(browser, service, state, fresh=False))
            page = await clerk.page()
            await page.locator(".row").first.wait_for()
            report["frame_gap_ms"] = spread(await scrolled(page, conversations))
            await browser.close()
    return report


def main() -> None:
    """Entry point of ``python -m benchmarks.console``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=40)
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    text = json.dumps(asyncio.run(run(given.conversations, given.messages)), indent=1)
    sys.stdout.write(text + "\n")
    if given.log:
        given.log.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
