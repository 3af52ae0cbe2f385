"""The console over the real service: templates outside WhatsApp's window, contacts in the palette, saved views."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from server.routes import Role
from tests.browser.clerk import Clerk, amend, at_work, hired
from tests.browser.test_site import violations
from tests.doubles.twilio import Template, TwilioDouble
from tests.scenario import OPEN_ACCOUNT, Service
from tests.scenario import desk as service_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DAY_S = 86_400.0
SID = "HX" + "d" * 32
READY = "Hello {{1}}, your order {{2}} is ready."
ANA = "+4915110000001"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("finds")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def twilio() -> AsyncIterator[TwilioDouble]:
    async with TwilioDouble(window=True).running() as double:
        double.templates[SID] = Template(READY)
        yield double


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(folder: Path, twilio: TwilioDouble) -> AsyncIterator[Service]:
    secrets = {"account_sid": twilio.account_sid, "auth_token": twilio.auth_token, "api_base": twilio.base_url}
    accounts = {
        "default": secrets | {"from": twilio.sender.removeprefix("whatsapp:"), "templates": [f"{SID} en: {READY}"]},
        "bare": secrets | {"from": "+14155230000"},
    }
    channels = {"web": {"default": OPEN_ACCOUNT}, "whatsapp": accounts}
    async with service_on(f"sqlite:///{folder}/desk.db", folder, channels=channels) as running:
        twilio.webhook_url = f"{running.base}/webhooks/whatsapp"
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def staff(browser: Browser, service: Service) -> AsyncIterator[Callable[..., Any]]:
    """Hires somebody and gives them a browser."""
    clerks: list[Clerk] = []

    async def hire(name: str = "Ana Byrne", role: Role = Role.ADMIN) -> Clerk:
        clerks.append(await at_work(browser, service, await hired(service, name, role)))
        return clerks[-1]

    yield hire
    for clerk in clerks:
        await clerk.context.close()


async def test_outside_the_window_a_template_is_chosen_filled_previewed_and_sent(
    staff: Any, folder: Path, twilio: TwilioDouble
):
    await twilio.deliver(twilio.heard(ANA, "Where is my order?"))
    clerk = await staff()
    page = await clerk.page()
    await page.locator(".row").first.click()
    await expect(page.locator(".said.assistant")).to_have_count(1)
    await expect(page.locator(".composer textarea")).to_be_visible()
    amend(folder, [("update conversation set said_at = said_at - 90000", ())])
    twilio.clock = lambda: time.time() + 1.1 * DAY_S
    await page.reload()
    form = page.locator(".templates")
    await expect(form).to_contain_text("24-hour window is closed")
    await expect(page.locator(".composer textarea")).to_have_count(0)
    button = form.get_by_role("button", name="Take over and send template")
    await expect(button).to_be_disabled()
    await form.get_by_label("Value 1").fill("Ana")
    await form.get_by_label("Value 2").fill("#1042")
    await expect(form.locator("blockquote")).to_have_text("Hello Ana, your order #1042 is ready.")
    assert not await violations(page)
    await button.click()
    await page.locator(".held").get_by_role("button", name="Undo").click()
    await expect(page.locator(".held")).to_have_count(0)
    assert [each.body for each in twilio.messages if each.body.startswith("Hello Ana")] == []
    await form.get_by_label("Value 1").fill("Ana")
    await form.get_by_label("Value 2").fill("#1043")
    await form.get_by_role("button", name="Send template").click()
    await expect(page.locator(".said.staff:not(.held)")).to_contain_text("your order #1043 is ready")
    await expect(page.locator(".said.staff:not(.held) .tick")).to_be_visible()
    assert [each.body for each in twilio.messages][-1] == "Hello Ana, your order #1043 is ready."
    amend(folder, [("update conversation set account = 'bare'", ())])
    await page.reload()
    await expect(page.locator(".composer")).to_contain_text("channels.whatsapp.bare.templates")
    assert not await violations(page)
    assert not clerk.complaints


async def test_the_palette_finds_contacts_and_opens_their_page(service: Service, staff: Any, folder: Path):
    visitor = await service.visitor()
    await visitor.say("Do you ship to Cork?")
    await visitor.answered()
    text = "update customer set name = ? where id = (select customer_id from conversation where id = ?)"
    amend(folder, [(text, ("Zelda Quinn", visitor.conversation))])
    clerk = await staff()
    page = await clerk.page()
    await page.keyboard.press("Control+k")
    await expect(page.locator("dialog[open] [role=combobox]")).to_be_focused()
    await page.keyboard.type("zelda")
    found = page.get_by_role("option", name="Zelda Quinn").filter(has_text="Contact")
    await expect(found).to_be_visible()
    await expect(page.locator("#palette-rows").get_by_role("option").first).to_contain_text("Contact")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(
        f"{service.base}/console/contacts/{await customer_of(service, visitor.conversation)}"
    )
    await expect(page.locator(".contacts")).to_contain_text("Zelda Quinn")
    assert not clerk.complaints


async def customer_of(service: Service, conversation: str) -> str:
    row = await service.store.row("conversations.read", id=conversation)
    assert row is not None
    return str(row["customer_id"])


async def test_filters_are_saved_renamed_and_removed_with_a_way_back(service: Service, staff: Any):
    clerk = await staff()
    page = await clerk.page("/console/inbox?view=all&channel=web&sort=waiting")
    saved = page.locator(".view-group.saved")
    await saved.get_by_role("button", name="Save this view").click()
    dialog = page.get_by_role("dialog")
    assert not await violations(page)
    await dialog.get_by_label("Name").fill("Web, oldest first")
    await dialog.get_by_label("Name").press("Enter")
    line = saved.get_by_role("link", name="Web, oldest first")
    await expect(line).to_have_attribute("aria-current", "true")
    await page.goto(f"{service.base}/console/inbox")
    await line.click()
    await expect(page).to_have_url(f"{service.base}/console/inbox?view=all&channel=web&sort=waiting")
    await saved.get_by_role("button", name="Change Web, oldest first").click()
    await dialog.get_by_label("Name").fill("Web first")
    await dialog.get_by_role("button", name="Save").click()
    await expect(saved.get_by_role("link", name="Web first")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(line).to_be_visible()
    for undone in (True, False):
        await saved.get_by_role("button", name="Change Web, oldest first").click()
        await dialog.get_by_role("button", name="Remove").click()
        await expect(line).to_have_count(0)
        if undone:
            await page.get_by_role("button", name="Undo").last.click()
            await expect(line).to_be_visible()
    await expect(page.locator(".toast")).to_have_count(0, timeout=30_000)
    await page.reload()
    await expect(saved.get_by_role("button", name="Save this view")).to_be_visible()
    await expect(line).to_have_count(0)
    assert not clerk.complaints
