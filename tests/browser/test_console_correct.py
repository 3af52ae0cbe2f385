"""The correction panel in a real browser: a wrong fact is corrected, decided, live, and answered right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from server.knowledge.documents import Documents
from tests.browser.clerk import at_work, hired
from tests.browser.test_site import violations
from tests.scenario import Service
from tests.scenarios.test_knowledge import LIVE_S, RETURNS, informed, until_told

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <coroutine object connect_tcp:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    folder: Path = tmp_path_factory.mktemp("correct")
    async with informed(f"sqlite:///{folder}/desk.db", folder) as running:
        await Documents(running.store, running.settings).save(title="Returns", text=RETURNS, changed_by="ana")
        yield running


async def test_a_fact_is_corrected_and_answers_differently_seconds_later(browser: Browser, service: Service) -> None:
    visitor = await service.visitor()
    await until_told(visitor, "within 30 days", 20.0)
    clerk = await at_work(browser, service, await hired(service))
    page = await clerk.page(f"/console/inbox/{visitor.conversation}")
    await page.get_by_role("button", name="Correct the answer").last.click()
    text = page.get_by_label("What it should have said")
    shown = await text.input_value()
    await text.fill(shown.replace("30 days", "45 days").replace(" [1]", ""))
    await page.get_by_role("button", name="Keep correction").click()
    await expect(page.get_by_text("This looks like a fact.")).to_be_visible()
    await expect(page.get_by_text("a passage says something else")).to_be_visible()
    await expect(page.locator("del")).to_contain_text("30 days")
    await expect(page.get_by_label("It will say")).to_have_value("Lamps can be returned within 45 days after delivery.")
    assert await violations(page) == []
    await page.get_by_role("button", name="Change the knowledge").click()
    await expect(page.locator("[data-live=true]")).to_be_visible(timeout=10_000)
    await page.get_by_role("button", name="Ask again").click()
    await expect(page.get_by_text("It rests on the changed document.")).to_be_visible()
    await expect(page.locator("dialog .suggestion p")).to_contain_text("45 days")
    await until_told(await service.visitor(), "within 45 days", LIVE_S)
    assert clerk.complaints == []
    await clerk.context.close()
