"""Staff among each other at the console: giving away, presence, promised times, tickets, two at one conversation."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from server.routes import Role
from tests.browser.clerk import Clerk, amend, at_work, hired
from tests.browser.test_site import violations
from tests.scenario import Service, Visitor
from tests.scenario import desk as service_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ACCESS = {"argon2_memory_kib": 8_192, "attempts_per_minute": 100}
SHOTS = os.environ.get("SHOTS", "")  # a folder for pictures of what was tested


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("handoff")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(folder: Path) -> AsyncIterator[Service]:
    async with service_on(f"sqlite:///{folder}/desk.db", folder, access=ACCESS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def staff(browser: Browser, service: Service) -> AsyncIterator[Callable[..., Any]]:
    clerks: list[Clerk] = []

    async def hire(name: str = "Ana Byrne", role: Role = Role.STAFF, **shape: Any) -> Clerk:
        clerks.append(await at_work(browser, service, await hired(service, name, role), **shape))
        return clerks[-1]

    yield hire
    for clerk in clerks:
        odd = [line for line in clerk.complaints if "404" not in line and "409" not in line]
        assert not odd, odd
        await clerk.context.close()


async def waiting(service: Service, folder: Path, name: str) -> Visitor:
    """A customer of this name who asked for a person."""
    visitor = await service.visitor()
    await visitor.say("My parcel came broken.")
    await visitor.answered(1)
    await visitor.post("handoff")
    await visitor.until(lambda me: me.of("state"))
    text = "update customer set name = ? where id = (select customer_id from conversation where id = ?)"
    amend(folder, [(text, (name, visitor.conversation))])
    return visitor


async def picture(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png")


async def test_a_conversation_is_given_to_a_colleague_who_is_there(service: Service, staff: Any, folder: Path) -> None:
    visitor = await waiting(service, folder, "Tom Walsh")
    ana, ben = await staff(), await staff("Ben Doyle")
    his = await ben.page("/console/inbox?view=mine")
    await expect(his.locator(".me .light.good")).to_be_visible()
    hers = await ana.page(f"/console/inbox/{visitor.conversation}?view=all")
    await expect(hers.locator(".holder .sla")).to_contain_text("left")
    await expect(hers.locator(".row .sla").first).to_contain_text("left")
    await hers.keyboard.press("t")
    await expect(hers.locator(".holder .state")).to_have_text("With you")
    await hers.keyboard.press("a")
    dialog = hers.get_by_role("dialog", name="Give to…")
    await expect(dialog.locator(".give-row").first).to_contain_text("Ben Doyle")
    await expect(dialog.locator(".give-row").first).to_contain_text("Online")
    await picture(hers, "give")
    await hers.keyboard.type("ben")
    await dialog.get_by_role("button", name="Ben Doyle").click()
    await expect(hers.locator(".holder .state")).to_have_text("With Ben Doyle")
    await expect(his.locator(".row")).to_contain_text("Tom Walsh")
    await expect(hers.locator(".composer textarea")).to_be_disabled()


async def test_several_are_chosen_and_taken_at_once(service: Service, staff: Any, folder: Path) -> None:
    for name in ("Xena Fox", "Yan Roe"):
        await waiting(service, folder, name)
    page = await (await staff()).page("/console/inbox?view=waiting")
    await page.get_by_role("button", name="Choose several").click()
    for name in ("Xena Fox", "Yan Roe"):
        await page.get_by_role("checkbox", name=name).click()
    await expect(page.locator(".bulk")).to_contain_text("2 chosen")
    await picture(page, "bulk")
    assert not await violations(page)
    await page.get_by_role("button", name="Take all").click()
    await expect(page.locator(".toast")).to_contain_text("Done with 2 conversations.")
    await page.goto(f"{service.base}/console/inbox?view=mine")
    for name in ("Xena Fox", "Yan Roe"):
        await expect(page.locator(".row", has_text=name)).to_be_visible()


async def test_presence_is_set_in_the_frame_and_seen_by_others(service: Service, staff: Any) -> None:
    page = await (await staff()).page()
    await expect(page.locator(".me .light.good")).to_be_visible()
    await page.locator("button.me").click()
    await page.get_by_role("menuitem", name="Busy").click()
    await expect(page.locator(".me .light.warn")).to_be_visible()
    other = await page.context.new_page()
    await other.goto(f"{service.base}/console/inbox")
    await expect(other.locator(".me .light.warn")).to_be_visible()
    await other.locator("button.me").click()
    await other.get_by_role("menuitem", name="Online").click()
    await expect(page.locator(".me .light.good")).to_be_visible()


async def test_two_at_one_conversation_are_warned_before_they_cross(service: Service, staff: Any, folder: Path) -> None:
    visitor = await waiting(service, folder, "Una Kelly")
    ana, ben = await staff(), await staff("Ben Doyle")
    here = f"/console/inbox/{visitor.conversation}"
    hers, his = await ana.page(here), await ben.page(here)
    await expect(hers.locator(".beside")).to_contain_text("Ben Doyle")
    await expect(his.locator(".composer textarea")).to_be_enabled()
    await his.keyboard.press("r")
    await his.keyboard.type("I will see to it")
    await expect(hers.locator(".beside")).to_contain_text("Ben Doyle is writing")
    await hers.keyboard.press("r")
    await hers.keyboard.type("Sorry about that")
    await hers.keyboard.press("Control+Enter")
    await expect(hers.locator(".toast")).to_contain_text("Ben Doyle is writing here too")
    await picture(hers, "crossed")
    await expect(hers.locator(".composer textarea")).to_have_value("Sorry about that")
    await hers.keyboard.press("Control+Enter")
    await visitor.until(lambda me: me.said("staff") == ["Sorry about that"], 15.0)
    await expect(his.locator(".composer textarea")).to_be_disabled()


async def test_tickets_are_opened_beside_a_conversation_and_worked_in_their_view(
    service: Service, staff: Any, folder: Path
) -> None:
    visitor = await waiting(service, folder, "Vic Moore")
    page = await (await staff()).page(f"/console/inbox/{visitor.conversation}?view=all")
    await page.get_by_role("button", name="New ticket").click()
    await page.get_by_label("What it is about").fill("Replace the broken mug")
    await page.get_by_label("Category").select_option("damage")
    await page.get_by_label("Priority").select_option("urgent")
    await page.get_by_role("button", name="Open ticket").click()
    await expect(page.locator(".profile .ticket")).to_contain_text("Replace the broken mug")
    await page.get_by_role("link", name="Tickets").click()
    await expect(page.locator(".list .ticket")).to_contain_text("Vic Moore")
    await picture(page, "tickets")
    assert not await violations(page)
    await page.locator(".list .ticket").get_by_role("button").click()
    await page.get_by_role("menuitem", name="Close the ticket").click()
    await expect(page.get_by_role("heading", name="No open tickets")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator(".list .ticket")).to_contain_text("Replace the broken mug")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_is_wrong_with_the_pages(service: Service, staff: Any, folder: Path, scheme: str) -> None:
    visitor = await waiting(service, folder, f"Wim {scheme}")
    page = await (await staff(color_scheme=scheme)).page(f"/console/inbox/{visitor.conversation}?view=all")
    await expect(page.locator(".holder .sla")).to_be_visible()
    await page.locator(".profile").get_by_text("Promised times").click()
    await picture(page, f"inbox-{scheme}")
    assert not await violations(page)
    await page.keyboard.press("a")
    await expect(page.locator("dialog .give-row").first).to_be_visible()
    await picture(page, f"give-{scheme}")
    assert not await violations(page)
