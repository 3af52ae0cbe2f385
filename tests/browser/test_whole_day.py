"""One day at the desk: asked, answered, rated down, taken over, corrected, live again, counted, written down.

Two customers sit in the shop's widget, staff and an admin at the console, each in a browser profile of their own; the
service, its words index and its queues are real. The model's double says nothing of use, so answers are the passages'.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, FrameLocator, Page, expect

from server.analytics.folding import Folding
from server.knowledge.documents import Documents
from server.routes import Role
from server.store.statements import load, parse
from tests.browser.clerk import Clerk, at_work, hired
from tests.browser.informed import ACCESS
from tests.browser.visitor import Desk, Shop, Visit, say
from tests.scenario import Service
from tests.scenario import desk as service_on
from tests.scenarios.test_knowledge import ASKED, LIVE_S, RETURNS, _embed, until_told

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    # a connection that chromadb's client was opening when the service ended leaves its coroutine behind
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <coroutine object connect_tcp:pytest.PytestUnraisableExceptionWarning"
    ),
]

QUERIES = """
-- name: outcomes
-- How the turns of a conversation ended.
select outcome from turn where conversation_id = :conversation_id order by first_seq;
"""
load("sqlite").update(parse("day", QUERIES, "sqlite"))

DAY_S = 60.0  # the whole day takes less
BOT = ".row.assistant:not(.draft)"
SHAPE = {"viewport": {"width": 1100, "height": 820}, "locale": "en-GB", "reduced_motion": "reduce"}


@pytest_asyncio.fixture(loop_scope="session")
async def shop() -> AsyncIterator[Shop]:
    site = Shop()
    await site.start()
    yield site
    await site.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def service(shop: Shop, tmp_path: Path) -> AsyncIterator[Service]:
    """The shop's desk, which knows one document; it is findable when the day begins."""
    app = web.Application()
    app.router.add_post("/v1/embeddings", _embed)
    async with TestServer(app, host="127.0.0.1") as vectors:
        at = str(vectors.make_url("")).rstrip("/")
        known = {"embedding_url": f"{at}/v1", "chroma_url": at}
        account = {"allowed_origins": [shop.origin]}
        url = f"sqlite:///{tmp_path}/desk.db"
        async with service_on(url, tmp_path, knowledge=known, account=account, access=ACCESS) as running:
            await Documents(running.store, running.settings).save(
                title="Returns", text=RETURNS, changed_by="ana", url="https://shop.example/returns"
            )
            await until_told(await running.visitor(), "within 30 days", 20.0)
            shop.desk = running.base
            yield running


async def customer(browser: Browser, service: Service, shop: Shop) -> tuple[Visit, FrameLocator]:
    """Somebody with a browser of their own who opens the chat on the shop's site."""
    visit = Visit(await browser.new_context(**SHAPE), Desk(service.base, shop, None))
    _, chat = await visit.opened()
    return visit, chat


async def rates_down(chat: FrameLocator) -> None:
    """A thumb down, and why."""
    await chat.get_by_role("button", name="Bad answer").click()
    await chat.locator(".chip[data-reason=wrong]").click()
    await expect(chat.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")


async def takes_over(page: Page, chat: FrameLocator, service: Service) -> None:
    """Claims; the customer hears of it once, and the bot says nothing more however often they write."""
    await page.keyboard.press("t")
    await expect(page.locator(".holder .state")).to_have_text("With you")
    await expect(chat.locator("#status")).to_contain_text("A person has joined")
    asked = service.double.stats.requests
    await say(chat, "Are you sure about that?")
    line = page.locator(".thread .said.customer", has_text="Are you sure about that?")
    await expect(line).to_be_visible()
    conversation = page.url.split("/inbox/")[1].split("?")[0]
    async with asyncio.timeout(LIVE_S):  # the turn is over, and it was not the bot's
        while (await _outcomes(service, conversation))[1:] != ["handed_over"]:
            await asyncio.sleep(0.02)
    await page.keyboard.press("r")
    await page.keyboard.type("You are right to ask: it is 45 days.")
    await page.keyboard.press("Control+Enter")
    await expect(chat.locator(".row.staff .bubble")).to_have_text("You are right to ask: it is 45 days.")
    await expect(chat.locator(BOT)).to_have_count(1)
    assert service.double.stats.requests == asked, "the model is not asked while a person has the conversation"
    await expect(chat.get_by_text("has joined")).to_have_count(1)


async def _outcomes(service: Service, conversation: str) -> list[str]:
    return [row["outcome"] for row in await service.store.rows("day.outcomes", conversation_id=conversation)]


async def corrects(page: Page) -> float:
    """Edits the answer and says that it is a fact; returns when it was decided (monotonic seconds)."""
    await page.get_by_role("button", name="Correct the answer").click()
    text = page.get_by_label("What it should have said")
    await text.fill((await text.input_value()).replace("30 days", "45 days").replace(" [1]", ""))
    await page.get_by_role("button", name="Keep correction").click()
    await expect(page.get_by_text("This looks like a fact.")).to_be_visible()
    await expect(page.locator("del")).to_contain_text("30 days")
    await page.get_by_role("button", name="Change the knowledge").click()
    decided = time.monotonic()
    await expect(page.locator("[data-live=true]")).to_be_visible(timeout=LIVE_S * 1_000)
    await page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    return decided


async def shows_the_case(admin: Clerk, conversation: str) -> None:
    """Analytics: the case counts as handed over and rated down, and its figure leads back to the thread."""
    page = await admin.page("/console/analytics?metric=handoff_rate&show=handed")
    for name, value in (("Conversations", "3"), ("Good ratings", "0")):
        tile = page.locator(".tile").filter(has=page.get_by_text(name, exact=True))
        await expect(tile.locator("b")).to_contain_text(value)
    behind = page.locator("section[aria-labelledby=behind-title] tbody tr")
    await expect(behind).to_have_count(1)
    await expect(behind).to_contain_text("Taken by staff")
    await behind.get_by_role("link").click()
    await expect(page.locator(".thread .holder")).to_be_visible()
    assert conversation in page.url


async def shows_the_correction(admin: Clerk, conversation: str) -> None:
    """The audit: who took over, who corrected, who decided and how."""
    page = await admin.page("/console/people/audit?action=correction.")
    rows = page.locator("section[aria-labelledby=audit-title] tbody tr")
    await expect(rows.filter(has_text="correction.decide")).to_contain_text("Ben Doyle")
    await expect(rows.filter(has_text="correction.decide")).to_contain_text("route: fact")
    await page.goto(f"{admin.base}/console/people/audit?target={conversation}")
    await expect(rows.filter(has_text="claim")).to_contain_text("Ben Doyle")


async def test_a_whole_day(browser: Browser, service: Service, shop: Shop) -> None:
    began = time.monotonic()
    first, chat = await customer(browser, service, shop)
    await say(chat, ASKED)
    await expect(chat.locator(f"{BOT} .bubble")).to_contain_text("within 30 days after delivery")
    await expect(chat.locator(f"{BOT} .source")).to_have_text("1Returns")
    await rates_down(chat)

    staff = await at_work(browser, service, await hired(service, "Ben Doyle", Role.STAFF))
    page = await staff.page("/console/inbox?view=all")
    await expect(page.locator(".list .row")).to_have_count(2)  # the other one tried whether the document is findable
    await page.locator(".list .row").first.click()
    await expect(page.locator(".thread .assistant .rated")).to_have_text("Customer rated it bad: Wrong")
    conversation = page.url.split("/inbox/")[1].split("?")[0]
    await takes_over(page, chat, service)
    second, other = await customer(browser, service, shop)
    decided = await corrects(page)
    await page.keyboard.press("b")
    await expect(page.locator(".holder .state")).to_have_text("With the bot")
    await expect(chat.locator("#status")).not_to_contain_text("A person has joined")

    await say(other, ASKED)
    await expect(other.locator(f"{BOT} .bubble")).to_contain_text("within 45 days after delivery")
    await expect(other.locator(f"{BOT} .source")).to_have_text("1Returns")
    assert time.monotonic() - decided < 2 * LIVE_S

    await Folding(service.store, service.settings.tenant).run({})
    admin = await at_work(browser, service, await hired(service))
    await shows_the_case(admin, conversation)
    await shows_the_correction(admin, conversation)
    assert first.violations + second.violations == []
    assert [line for line in staff.complaints + admin.complaints if "404" not in line] == []
    assert time.monotonic() - began < DAY_S
    for each in (first.context, second.context, staff.context, admin.context):
        await each.close()
