"""People, teams, audit and one's own account at the console, over the real service."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from server.auth.totp import STEP_S, code_at
from server.routes import Role
from server.timeline import lock
from tests.browser.clerk import PASSWORD, Clerk, at_work, hired
from tests.browser.test_site import violations
from tests.scenario import Service
from tests.scenario import desk as service_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SHOTS = os.environ.get("BROWSER_TEST_SHOTS", "")  # a folder that gets a picture of each page
ACCESS = {"argon2_memory_kib": 8_192, "attempts_per_minute": 100}
MARKUP = "<img src=x onerror=alert(1)>"
WIDER = """[...document.querySelectorAll("body *")].filter((each) => each.getBoundingClientRect().right > 321)
    .map((each) => each.className || each.tagName).slice(0, 9)"""
TABS = {"people": "/console/people", "teams": "/console/people/teams", "audit": "/console/people/audit"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("people")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(folder: Path) -> AsyncIterator[Service]:
    async with service_on(f"sqlite:///{folder}/desk.db", folder, access=ACCESS) as running:
        yield running


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


async def picture(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


async def test_an_admin_invites_makes_a_team_and_reads_the_audit(service: Service, staff: Any):
    await hired(service, f"Ben {MARKUP}", Role.STAFF)
    clerk = await staff()
    page = await clerk.page("/console/people")
    await expect(page.locator("#people li")).to_have_count(2)
    await expect(page.locator("#people")).to_contain_text(MARKUP)
    await page.get_by_label("Invite by email").fill("cara@example.com")
    await page.keyboard.press("Enter")
    await expect(page.locator("#people-note code")).to_contain_text("/console/setup#")
    await expect(page.get_by_role("region", name="Open invitations")).to_contain_text("cara@example.com")
    await page.get_by_role("button", name="Take back").click()
    await expect(page.get_by_text("Open invitations")).to_have_count(0)
    await page.get_by_role("link", name="Teams").click()
    await page.get_by_role("button", name="New team").click()
    await page.get_by_label("Name").fill(f"Web {MARKUP}")
    await page.get_by_label("Ben").check()
    await page.get_by_label("Web, all accounts").check()
    await page.get_by_role("button", name="Save team").click()
    await expect(page.locator(".lines li")).to_contain_text([f"Web {MARKUP}"])
    await expect(page.locator(".lines li")).to_contain_text(["Web, all accounts"])
    await page.get_by_role("link", name="Audit").click()
    await page.get_by_label("Action", exact=True).fill("team.")
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text(MARKUP)
    assert page.url.endswith("/console/people/audit?action=team.")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download CSV").click()
    assert "team.add" in Path(await (await download.value).path()).read_text(encoding="utf-8")
    assert [line for line in clerk.complaints if "404" not in line] == []


async def test_the_second_step_is_set_up_and_asked_for(service: Service, staff: Any, browser: Browser):
    clerk = await staff("Dora Hall", Role.STAFF)
    page = await clerk.page("/console/people/me")
    await page.get_by_role("form", name="Set up an app").get_by_label("Your password").fill(PASSWORD)
    await page.get_by_role("button", name="Set up an app").click()
    secret = await page.locator(".enrol code").inner_text()
    assert await page.locator(".qr path").get_attribute("d")
    await picture(page, "account-enrol")
    await page.get_by_role("textbox", name="Code").fill(code_at(secret, int(time.time() // STEP_S)))
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.locator("#recovery-codes code")).to_have_count(10)
    recovery = await page.locator("#recovery-codes code").first.inner_text()
    await page.get_by_role("button", name="I have kept them").click()
    await expect(page.get_by_text("10 recovery codes left")).to_be_visible()
    await page.get_by_role("textbox", name="Name").fill("Dora H.")  # the new session's token is known
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#who-name")).to_have_text("Dora H.")
    context = await browser.new_context(reduced_motion="reduce")
    door = await context.new_page()
    await door.goto(f"{service.base}/console/login?next=/console/people/me")
    await door.get_by_label("Email").fill("dora@example.com")
    await door.get_by_label("Password").fill(PASSWORD)
    await door.keyboard.press("Enter")
    await expect(door.get_by_role("heading", name="Second step")).to_be_visible()
    assert await context.cookies() == []
    assert await violations(door) == []
    await picture(door, "login-code")
    await door.keyboard.type("000000")  # the focus is where it belongs
    await door.keyboard.press("Enter")
    await expect(door.get_by_role("alert")).to_contain_text("The code is wrong")
    await door.get_by_role("textbox", name="Code").fill(recovery)
    await door.keyboard.press("Enter")
    await door.wait_for_url(f"{service.base}/console/people/me")
    await expect(door.get_by_text("9 recovery codes left")).to_be_visible()
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_have_no_serious_violation(staff: Any, scheme: str):
    clerk = await staff(color_scheme=scheme)
    for name, path in {**TABS, "account": "/console/people/me"}.items():
        page = await clerk.page(path)
        await expect(page.locator(".tabs a[aria-current]")).to_have_count(1)
        await expect(page.locator(".waiting")).to_have_count(0)
        await picture(page, f"{name}-{scheme}")
        found = await violations(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], path
        await page.close()
    narrow = await staff(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = await narrow.page("/console/people")
    await expect(page.locator("#people li").first).to_be_visible()
    assert await page.evaluate(WIDER) == []


async def test_staff_see_only_their_own_account(staff: Any):
    clerk = await staff("Eve Ford", Role.STAFF)
    page = await clerk.page("/console/people")
    await expect(page.locator(".tabs a")).to_have_text(["My account"])
    page = await clerk.page("/console/people/audit")
    await expect(page.get_by_text("This page is for other roles")).to_be_visible()


async def test_a_wait_that_is_too_long_is_shown_at_once(service: Service, staff: Any):
    page = await (await staff()).page("/console/people/me")
    await expect(page.locator(".shell")).to_have_attribute("data-connection", "live")
    visitor = await service.visitor()
    await visitor.say("Hello")
    await visitor.answered(1)

    async def unit(tx: Any) -> None:
        timeline = await lock(tx, visitor.conversation)
        timeline.emit("alert", {"waiting_since": tx.now_s, "channel": "web"}, audience="staff")
        await timeline.save(touch=False)

    await service.store.write(unit)
    await expect(page.locator(".toast")).to_contain_text("A customer on Web is waiting for a person.")
    await page.locator(".toast").get_by_role("button", name="Open").click()
    await page.wait_for_url(f"{service.base}/console/inbox/{visitor.conversation}")
