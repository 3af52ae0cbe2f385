"""Staff at the analytics page over the real service: figures explained, chart and table, filters, files."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from server.analytics.folding import Folding
from server.analytics.metrics import METRICS
from server.routes import Role
from tests.browser.clerk import Clerk, amend, at_work, hired
from tests.browser.test_console_inbox import ACCESS, asked
from tests.browser.test_site import violations
from tests.scenario import Service
from tests.scenario import desk as service_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PICTURES = os.environ.get("ANALYTICS_PICTURES", "")
DAY_S = 86_400.0
COPIES = 160


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("analytics")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(folder: Path) -> AsyncIterator[Service]:
    url = f"sqlite:///{folder}/desk.db"
    prices = {"prompt_price": 1.5, "completion_price": 6.0, "cron": "0 0 1 1 *"}
    async with service_on(url, folder, access=ACCESS, analytics=prices) as running:
        visitor = await asked(running, "How long does delivery take?")
        await visitor.post("handoff")
        await Folding(running.store, running.settings.tenant).run({})
        furnish(folder)
        yield running


def furnish(folder: Path) -> None:
    """Facts of a month beside the one real case, which lends them its conversation."""
    dice = random.Random(6)
    copies = []
    for number in range(COPIES):
        at = time.time() - dice.random() * 28 * DAY_S
        handed = dice.random() < 0.22
        values: dict[str, Any] = {
            "case_id": f"copy-{number}", "opened_at": at, "last_at": at + 300, "asked_at": at, "opened_number": 1,
            "channel": dice.choice(("web", "web", "whatsapp", "telegram", "slack")),
            "language": dice.choice(("en", "de")),
            "release_id": dice.choice(("f3a91c0d77e2", "0b1c22d93af4")), "number": 1,
            "bot_s": dice.random() * 9,
            "bot_messages": 2, "customer_messages": 2, "answered": 1, "turns": 2,
            "prompt_tokens": dice.randrange(3_000),
            "completion_tokens": dice.randrange(400), "thumbs_up": int(dice.random() < 0.2),
            "thumbs_down": int(dice.random() < 0.08), "tools_done": 1, "tools_failed": int(dice.random() < 0.1),
            "sla_met": int(handed), "sla_breached": int(handed and dice.random() < 0.2), "handle_s": 0.0,
            "csat_asked": 1, "csat": dice.choice((None, 5, 5, 4, 2)), "nps": dice.choice((None, None, 10, 9, 7, 3)),
            "handed_at": None, "handed_reason": None, "staff_s": None, "staff_messages": 0,
        }  # fmt: skip
        if handed:
            reason = dice.choice(("customer_asked", "customer_asked", "low_confidence", "tool", "model_down"))
            values |= {"handed_at": at + 60, "handed_reason": reason, "staff_s": 40 + dice.random() * 600,
                       "staff_messages": 1, "handle_s": 100 + dice.random() * 900}  # fmt: skip
        copies.append(values)
    columns = ", ".join(copies[0])
    marks = ", ".join("?" for _ in copies[0])
    text = (
        f"insert into fact_case (tenant, conversation_id, account, {columns}) "
        f"select tenant, conversation_id, account, {marks} from fact_case where case_id not like 'copy-%' limit 1"
    )
    amend(folder, [(text, tuple(values.values())) for values in copies])


@pytest_asyncio.fixture(loop_scope="session")
async def staff(browser: Browser, service: Service) -> AsyncIterator[Callable[..., Any]]:
    """Hires somebody and gives them a browser."""
    clerks: list[Clerk] = []

    async def hire(name: str = "Ana Byrne", role: Role = Role.ADMIN, **shape: Any) -> Clerk:
        clerks.append(await at_work(browser, service, await hired(service, name, role), **shape))
        return clerks[-1]

    yield hire
    for clerk in clerks:
        await clerk.context.close()


async def opened(clerk: Clerk, query: str = "") -> Page:
    page = await clerk.page(f"/console/analytics{query}")
    await expect(page.locator(".tile")).to_have_count(len(METRICS))
    return page


async def test_a_figure_says_how_it_is_made_and_leads_to_its_conversations(staff: Any):
    clerk = await staff()
    page = await opened(clerk)
    tile = page.locator(".tile", has_text="Containment")
    how = tile.locator(".how")
    await expect(how).to_be_hidden()
    await tile.locator("button").focus()
    await expect(how).to_be_visible()
    await expect(how).to_contain_text("never waited for or went to a person")
    await page.keyboard.press("Enter")
    await expect(page.locator("#chart-title")).to_have_text("Containment")
    assert "metric=containment" in page.url
    await expect(page.locator(".plot canvas")).to_have_count(1)
    await page.get_by_role("button", name="Conversations", exact=True).click()
    await expect(page.locator("#behind-title")).to_be_focused()
    await expect(page.locator("#behind-title")).to_have_text("Conversations: without a person")
    link = page.locator("section[aria-labelledby=behind-title] tbody a").first
    assert "/console/inbox/" in str(await link.get_attribute("href"))
    await page.locator(".bars button").first.click()
    await expect(page.locator("#behind-title")).to_have_text("Conversations: handed over")
    assert "reason=" in page.url
    assert clerk.complaints == []


async def test_the_table_and_the_file_equal_what_the_api_says(staff: Any):
    clerk = await staff()
    page = await opened(clerk, "?metric=conversations&by=channel&table=1&period=30")
    rows = page.locator("section[aria-labelledby=chart-title] tbody tr")
    await expect(rows.first).to_be_visible()
    shown = [[int(cell) for cell in await row.locator("td").all_inner_texts()] for row in await rows.all()]
    href = str(await page.get_by_role("link", name="CSV").get_attribute("href"))
    answer = await clerk.context.request.get(f"{clerk.base}{href}")
    lines = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [int(line["conversations"]) for line in lines] == [cell for row in shown for cell in row]
    assert sum(map(sum, shown)) >= COPIES
    answer = await clerk.context.request.get(
        f"{clerk.base}{href.replace('export', 'series').replace('&format=csv', '')}"
    )
    assert [row["conversations"] for row in json.loads(await answer.text())["rows"]] == [sum(row) for row in
        [[cell] for line in shown for cell in line]]  # fmt: skip
    assert clerk.complaints == []


async def test_filters_live_in_the_address(staff: Any):
    clerk = await staff()
    page = await opened(clerk)
    everything = await page.locator(".tile b").first.inner_text()
    await page.get_by_role("combobox", name="Channel").select_option("slack")
    await expect(page.locator(".tile b").first).not_to_have_text(everything)
    assert "channel=slack" in page.url
    await page.reload()
    await expect(page.get_by_role("combobox", name="Channel")).to_have_value("slack")
    await page.get_by_label("Period").select_option("own")
    await page.get_by_label("From").fill("2020-01-01")
    await page.get_by_label("To", exact=True).fill("2020-01-31")
    await expect(page.get_by_role("heading", name="No conversations in this period")).to_be_visible()
    assert clerk.complaints == []


@pytest.mark.parametrize("look", ["light", "dark"])
async def test_everybody_can_use_it(staff: Any, look: str):
    clerk = await staff(color_scheme=look)
    page = await opened(clerk, "?by=channel&show=handed")
    await expect(page.locator(".plot canvas")).to_have_count(1)
    await expect(page.locator("#behind-title")).to_be_visible()
    assert await violations(page) == []
    if PICTURES:
        await page.set_viewport_size({"width": 1440, "height": 2_000})
        await page.screenshot(path=f"{PICTURES}/analytics-{look}.png")
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/analytics-{look}-small.png")
    assert clerk.complaints == []
