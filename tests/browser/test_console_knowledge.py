"""Knowledge at the console over the real service: sources, documents, the test search, and gaps that get an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from server.routes import Role
from tests.browser.clerk import Clerk, amend, at_work, hired
from tests.browser.informed import checked, informed
from tests.doubles.telegram import Telegram
from tests.scenario import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <coroutine object connect_tcp:pytest.PytestUnraisableExceptionWarning"
    ),
]

RETURNS = """# Returns

Lamps can be returned within 30 days after delivery. The box must be complete.

## Costs

We pay the way back for lamps that arrived broken.
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("knowledge")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(folder: Path) -> AsyncIterator[Service]:
    telegram = Telegram()
    async with telegram.running(), informed(folder, telegram) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def staff(browser: Browser, service: Service) -> AsyncIterator[Callable[..., Any]]:
    clerks: list[Clerk] = []

    async def hire(name: str = "Ana Byrne", role: Role = Role.ADMIN, **shape: Any) -> Clerk:
        clerks.append(await at_work(browser, service, await hired(service, name, role), **shape))
        return clerks[-1]

    yield hire
    for clerk in clerks:
        await clerk.context.close()


async def test_files_become_documents_with_borders_between_their_passages(staff: Any, folder: Path):
    clerk = await staff()
    page = await clerk.page("/console/knowledge")
    await expect(page.get_by_text("Nothing to answer from yet")).to_be_visible()
    await checked(page, "knowledge-empty")
    file = folder / "returns.md"
    file.write_text(RETURNS, encoding="utf-8")
    await page.get_by_role("button", name="Add knowledge").click()
    dialog = page.get_by_role("dialog", name="Add knowledge")
    await dialog.get_by_label("Name").fill("Handbook")
    await dialog.locator("input[type=file]").set_input_files(str(file))
    await expect(dialog).to_contain_text("returns.md")
    await checked(page, "knowledge-add")
    await dialog.get_by_role("button", name="Add", exact=True).click()
    row = page.locator(".source", has_text="Handbook")
    await expect(row).to_contain_text("Up to date")
    await expect(row).to_contain_text("1 document")
    await checked(page, "knowledge-sources")
    await row.get_by_role("link", name="Handbook").click()
    await page.get_by_role("link", name="Returns").click()
    await expect(page.locator(".passage").first).to_contain_text("within 30 days")
    await expect(page.locator(".passage header").first).to_contain_text("Passage 1")
    await expect(page.get_by_text("This comes from “Handbook”")).to_be_visible()
    await checked(page, "knowledge-document")
    assert not [line for line in clerk.complaints if "404" not in line]


async def test_a_schedule_is_set_and_a_source_removed_with_a_way_back(staff: Any):
    page = await (await staff()).page("/console/knowledge")
    row = page.locator(".source", has_text="Handbook")
    await row.get_by_role("button", name="Actions for Handbook").click()
    await page.get_by_role("menuitem", name="Schedule").click()
    await page.get_by_role("dialog").get_by_role("combobox").select_option("daily")
    await page.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("every night")
    await row.get_by_role("button", name="Actions for Handbook").click()
    await page.get_by_role("menuitem", name="Details").click()
    await expect(page.get_by_role("dialog", name="Handbook")).to_contain_text("returns.md")
    await page.keyboard.press("Escape")
    await row.get_by_role("button", name="Actions for Handbook").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(row).to_have_count(1)


async def test_an_article_is_written_changed_and_its_life_is_shown(staff: Any):
    page = await (await staff("Ben Doyle", Role.STAFF)).page("/console/knowledge")
    await page.get_by_role("button", name="Add knowledge").click()
    dialog = page.get_by_role("dialog", name="Add knowledge")
    await dialog.get_by_role("textbox").first.fill("Is there a shop in Cork?")
    await dialog.locator("textarea").fill("Yes, on Patrick Street.")
    await dialog.get_by_role("button", name="Add", exact=True).click()
    await expect(dialog.locator(".live")).to_contain_text("Live since")
    await dialog.locator("span.acts").get_by_role("button", name="Close").click()
    await page.get_by_role("link", name="Documents", exact=True).click()
    await page.get_by_role("link", name="Is there a shop in Cork?").click()
    await page.get_by_role("button", name="Edit").click()
    await page.locator("textarea").fill("# Is there a shop in Cork?\n\nYes, on Oliver Plunkett Street.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".head .live")).to_contain_text("Live since")
    await expect(page.locator(".passage").first).to_contain_text("Oliver Plunkett")
    await page.get_by_role("button", name="Restore").click()
    await expect(page.locator(".passage").first).to_contain_text("Patrick Street")
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("heading", name="Documents")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("heading", name="Is there a shop in Cork?")).to_be_visible()


async def test_the_test_search_tells_ranks_and_the_verdict(staff: Any):
    page = await (await staff()).page("/console/knowledge/search")
    await expect(page.get_by_text("Try what the bot would find")).to_be_visible()
    await page.get_by_label("What a customer asks").fill("How many days after delivery can lamps be returned?")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("The bot would answer from these passages")).to_be_visible()
    first = page.locator(".hit").first
    await expect(first).to_contain_text("Returns")
    await expect(first.locator(".ranks")).to_contain_text("Word rank")
    await expect(first).to_contain_text("given to the model")
    await page.get_by_text("What the model sees of it").click()
    await expect(page.locator(".prompt pre")).to_contain_text("Answer only from the passages below")
    assert "ask=How+many" in page.url
    await checked(page, "knowledge-search")
    await page.goto(page.url.split("?")[0] + "?ask=Do%20you%20hire%20astronauts")
    await expect(page.get_by_text("The bot would not answer")).to_be_visible()


async def test_a_gap_is_answered_and_leaves_the_list(service: Service, staff: Any):
    visitor = await service.visitor()
    for number, question in enumerate(("Do you ship to Canada?", "Is shipping to Canada possible?"), 1):
        await visitor.say(question)
        await visitor.answered(number)
    other = await service.visitor()
    await other.say("Do you sell gift cards?")
    await other.answered()
    page = await (await staff("Ben Doyle", Role.STAFF)).page("/console/knowledge/gaps")
    row = page.locator(".gap", has_text="Do you ship to Canada?")
    await expect(row.locator(".asked")).to_contain_text("2")
    await row.get_by_role("button", name="Examples").click()
    await expect(row.locator(".examples")).to_contain_text("Is shipping to Canada possible?")
    await checked(page, "knowledge-gaps")
    await row.get_by_role("button", name="Write an answer").click()
    dialog = page.get_by_role("dialog", name="Write an answer")
    await dialog.locator("textarea").fill("Yes, to Canada within five days.")
    await checked(page, "knowledge-answer")
    await dialog.get_by_role("button", name="Save the answer").click()
    await expect(dialog.locator(".live")).to_contain_text("Live since")
    await dialog.locator("span.acts").get_by_role("button", name="Close").click()
    await expect(row).to_have_count(0)
    gift = page.locator(".gap", has_text="gift cards")
    await gift.get_by_role("button", name="Dismiss").click()
    await expect(gift).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(gift).to_have_count(1)
    await page.get_by_role("button", name="Solved").click()
    await page.get_by_role("link", name="The answer").click()
    await expect(page.locator(".passage").first).to_contain_text("within five days")


async def test_who_may_see_what(service: Service, staff: Any, folder: Path):
    clerk = await staff("Vera Moss", Role.VIEWER)
    page = await clerk.page("/console/knowledge")
    await expect(page.locator(".source").first).to_be_visible()
    await expect(page.get_by_role("button", name="Add knowledge")).to_have_count(0)
    await expect(page.get_by_role("link", name="Gaps")).to_have_count(0)
    await page.goto(f"{service.base}/console/knowledge/gaps")
    await expect(page.get_by_text("There is no such page")).to_be_visible()
    await page.goto(f"{service.base}/console/knowledge/documents/unknown")
    await expect(page.get_by_text("This document cannot be shown")).to_be_visible()
    amend(folder, [("update source set state = 'failed', reason = 'The site answers 500.'", ())])
    await page.goto(f"{service.base}/console/knowledge")
    await expect(page.locator(".source", has_text="The site answers 500.").first).to_be_visible()
    await checked(page, "knowledge-failed")


async def test_small_screens_and_german(service: Service, staff: Any):
    page = await (await staff(locale="de-DE", viewport={"width": 360, "height": 740})).page("/console/knowledge")
    for part in ("sources", "documents", "search?ask=Lampen", "gaps?state=solved"):
        await page.goto(f"{service.base}/console/knowledge/{part}")
        await expect(page.get_by_role("heading", name="Wissen")).to_be_visible()
        await expect(page.locator(".card").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, part
