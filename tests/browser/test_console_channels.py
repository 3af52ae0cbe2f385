"""Channels at the console over the real service: accounts, signature checks, a test message, and the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from server.routes import Role
from tests.browser.clerk import Clerk, at_work, hired
from tests.browser.informed import checked, informed
from tests.doubles.telegram import SECRET, Telegram
from tests.scenario import Service

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def telegram() -> AsyncIterator[Telegram]:
    double = Telegram()
    async with double.running():
        yield double


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory, telegram: Telegram) -> AsyncIterator[Service]:
    folder: Path = tmp_path_factory.mktemp("channels")
    async with informed(folder, telegram) as running:
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


async def test_an_account_tells_how_it_is_and_what_was_refused(service: Service, staff: Any):
    for secret in (SECRET, "wrong", "wrong"):
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
        async with service.http.post(
            f"{service.base}/webhooks/telegram", json={"update_id": 1}, headers=headers
        ) as hook:
            assert hook.status in {200, 403}
    clerk = await staff()
    page = await clerk.page("/console/channels")
    card = page.get_by_role("article", name="Telegram")
    await expect(card).to_contain_text("no webhook is set", timeout=30_000)  # nobody set one at the double
    await expect(card.locator(".doors")).to_contain_text("1 accepted")
    await expect(card.locator(".doors")).to_contain_text("2 refused")
    await expect(card.locator(".doors")).to_contain_text("the secret token is missing or wrong")
    await expect(card.locator(".calls-row li")).to_have_count(3)
    await expect(card.locator(".addresses")).to_contain_text("/webhooks/telegram")
    await card.get_by_role("button", name="Pause the bot here").click()
    await expect(card.get_by_role("button", name="Let the bot answer here")).to_be_visible()
    await expect(page.locator(".banner")).to_contain_text("telegram / default")
    await card.get_by_role("button", name="Let the bot answer here").click()
    await expect(page.locator(".banner")).to_have_count(0)
    await checked(page, "channels-accounts")
    assert not [line for line in clerk.complaints if "404" not in line]


async def test_a_test_message_arrives_or_says_why_not(telegram: Telegram, staff: Any):
    page = await (await staff()).page("/console/channels")
    await page.get_by_role("article", name="Telegram").get_by_role("button", name="Send a test").click()
    dialog = page.get_by_role("dialog", name="Test message on Telegram")
    await dialog.get_by_role("textbox").first.fill("@ana")
    await dialog.get_by_role("button", name="Send a test").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("number of a chat")
    await dialog.get_by_role("textbox").first.fill("4711")
    await dialog.get_by_role("button", name="Send a test").click()
    await expect(dialog.get_by_role("status")).to_contain_text("Sent")
    assert telegram.visible(4711) == ["This is a test message of our support desk. You need not answer."]
    telegram.chat(4712).blocked = True
    await dialog.get_by_role("textbox").first.fill("4712")
    await dialog.get_by_role("button", name="Send a test").click()
    await expect(dialog.get_by_role("status")).to_contain_text("blocked")
    await checked(page, "channels-test")


@pytest.mark.parametrize("platform", ["Web", "Telegram", "Slack", "WhatsApp"])
async def test_the_simulator_shows_what_a_platform_would_show(staff: Any, platform: str):
    clerk = await staff()
    page = await clerk.page("/console/channels/simulator")
    await expect(page.get_by_text("nothing is sent to anybody")).to_be_visible()
    await page.get_by_role("group", name="Platform").get_by_role("button", name=platform).click()
    await expect(page.get_by_text("Write as a customer", exact=True)).to_be_visible()
    await page.get_by_label("Write as the customer").fill("Do you ship to Cork?")
    await page.keyboard.press("Enter")
    answer = page.locator(".sim.assistant")
    await expect(answer.first.locator(".sim-bubble").first).not_to_be_empty()
    await expect(answer.first.locator(".sim-buttons button")).to_have_count(2)
    await answer.first.get_by_role("button", name="One message").first.click()
    inspect = page.get_by_role("complementary", name="What was rendered")
    await expect(inspect).to_contain_text("of")
    await answer.first.locator(".sim-buttons button").first.click()
    await checked(page, f"channels-simulator-{platform.lower()}")
    await page.get_by_role("button", name="New customer").click()
    await expect(page.get_by_text("Write as a customer", exact=True)).to_be_visible()
    assert not [line for line in clerk.complaints if "404" not in line]


async def test_a_person_can_answer_a_simulated_customer(service: Service, staff: Any):
    clerk = await staff()
    page = await clerk.page("/console/channels/simulator/telegram?session=77")
    await page.get_by_label("Write as the customer").fill("I want to talk to a person")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="open it in the inbox").click()
    await expect(page.locator(".holder h1")).to_contain_text("Simulated customer")
    await page.get_by_role("button", name="Take over").first.click()
    await page.locator(".composer textarea").fill("Here I am, **Ana**.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".said.staff:not(.held)", has_text="Here I am").locator(".tick")).to_be_visible()
    await page.goto(f"{service.base}/console/channels/simulator/telegram?session=77")
    await expect(page.locator(".sim.staff b")).to_have_text("Ana")


async def test_roles_and_small_screens(service: Service, staff: Any):
    viewer = await (await staff("Vera Moss", Role.VIEWER)).page("/console/channels")
    card = viewer.get_by_role("article", name="Telegram")
    await expect(card).to_be_visible()
    await expect(card.get_by_role("button", name="Send a test")).to_have_count(0)
    await expect(viewer.get_by_role("link", name="Simulator")).to_have_count(0)
    await viewer.goto(f"{service.base}/console/channels/simulator")
    await expect(viewer.get_by_text("This page is for other roles")).to_be_visible()
    page = await (await staff(locale="de-DE", viewport={"width": 360, "height": 740})).page("/console/channels")
    for part in ("accounts", "simulator/whatsapp"):
        await page.goto(f"{service.base}/console/channels/{part}")
        await expect(page.get_by_role("heading", name="Kanäle")).to_be_visible()
        await expect(page.locator(".card").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, part
