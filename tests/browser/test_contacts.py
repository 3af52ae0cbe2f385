"""Contacts in a real browser: found, revealed, merged, copied and erased, in both colours, without a violation."""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

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
SHOTS = os.environ.get("CONTACTS_SHOTS", "")  # a folder: pictures of the pages are put there
PROFILE = "update identity set profile = ? where customer_id = (select customer_id from conversation where id = ?)"
NAME = "update customer set name = ? where id = (select customer_id from conversation where id = ?)"

ADDRESS = """insert into identity (id, tenant, channel, account, address, customer_id, profile, created_at)
values (?, 'default', 'telegram', 'default', ?, ?, '{}', 1.0)"""
TALK = """insert into conversation (id, tenant, channel, account, address, identity_id, customer_id, status, created_at,
updated_at, said_at) values (?, 'default', 'telegram', 'default', ?, ?, ?, 'closed', 1.0, 1.0, ?)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contacts")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(folder: Path) -> AsyncIterator[Service]:
    async with service_on(f"sqlite:///{folder}/desk.db", folder, access=ACCESS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def adam(browser: Browser, service: Service) -> AsyncIterator[Clerk]:
    clerk = await at_work(browser, service, await hired(service, "Adam Hart"))
    yield clerk
    await clerk.context.close()


async def wrote(service: Service, folder: Path, name: str, *questions: str, email: str = "") -> Visitor:
    visitor = await service.visitor()
    for number, question in enumerate(questions, 1):
        await visitor.say(question)
        await visitor.answered(number)
    amend(folder, [(NAME, (name, visitor.conversation))])
    if email:
        amend(folder, [(PROFILE, (f'{{"email": "{email}", "locale": "en"}}', visitor.conversation))])
    return visitor


async def customer_of(service: Service, visitor: Visitor) -> str:
    row = await service.store.row("customers.of_conversation", tenant="default", id=visitor.conversation)
    assert row is not None
    return str(row["customer_id"])


async def looked_at(page: Page, name: str) -> None:
    """No violation in light, dark and forced colours; a picture of each where somebody wants to look."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        assert await violations(page) == [], scheme
        if SHOTS:
            await page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}.png")
    await page.emulate_media(forced_colors="active", color_scheme="light")
    found = await violations(page)
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == [], "forced colours"
    await page.emulate_media(forced_colors="none", color_scheme="light")


async def test_a_customer_is_found_revealed_described_and_merged(
    service: Service, folder: Path, adam: Clerk, browser: Browser
):
    await wrote(service, folder, "Tom Walsh", "Do you ship to Cork?")
    nora = await wrote(service, folder, "Nora Quinn", "Where is my lamp?", "And the shade?", email="nora@mail.example")
    await wrote(service, folder, "N. Quinn", "It is me again", email="nora@mail.example")
    page = await adam.page("/console/contacts")
    await expect(page.locator(".contact")).to_have_count(3)
    await page.get_by_role("searchbox", name="Search by name").fill("nora@mail")
    await expect(page.locator(".contact")).to_have_count(2)
    assert "find=nora" in page.url
    await expect(page.locator(".search input")).to_have_value("")
    await page.locator(".contact", has_text="Nora Quinn").press("Enter")
    await expect(page.locator(".person-name")).to_have_text("Nora Quinn")
    await expect(page.locator(".talks > li")).to_have_count(1)
    await expect(page.locator(".values")).to_contain_text("n…@mail.example")
    assert "nora@mail.example" not in await page.inner_text(".person")
    await looked_at(page, "contacts")
    await page.get_by_role("button", name="Show E-mail").press("Enter")
    await expect(page.locator(".values")).to_contain_text("nora@mail.example")
    await page.locator("section", has=page.locator("#attributes-title")).get_by_role("button", name="Edit").click()
    await page.get_by_label("Name of note 1").fill("Size")
    await page.get_by_label("Text of note 1").fill("<b>L</b>")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".facts")).to_contain_text("<b>L</b>")
    await page.get_by_role("button", name="Merge with N. Quinn").click()
    await expect(page.locator(".talks > li")).to_have_count(2)
    await expect(page.get_by_role("button", name="Undo the merge with N. Quinn")).to_be_visible()
    await page.get_by_role("link", name="where is my lamp").or_(page.locator(".talks a").first).first.click()
    await expect(page.locator(".profile")).to_contain_text("n…@mail.example")
    await expect(page.locator(".profile .past li")).to_have_count(1)
    await looked_at(page, "inbox-panel")
    viewer = await at_work(browser, service, await hired(service, "Vera Moss", Role.VIEWER))
    shown = await viewer.page(f"/console/contacts/{await customer_of(service, nora)}")
    await expect(shown.locator(".person-name")).to_have_text("Nora Quinn")
    for name in ("Show E-mail", "Edit", "Undo the merge", "Erase this customer"):
        await expect(shown.get_by_role("button", name=name)).to_have_count(0)
    await viewer.context.close()
    assert [line for line in adam.complaints if "404" not in line] == []


async def test_a_copy_is_downloaded_and_the_customer_is_erased_for_good(service: Service, folder: Path, adam: Clerk):
    visitor = await wrote(service, folder, "Ida Berg", "Where is my chair?", email="ida@mail.example")
    customer = await customer_of(service, visitor)
    page = await adam.page(f"/console/contacts/{customer}")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Download a copy").click()
    download = await coming.value
    assert download.suggested_filename.startswith(f"customer-{customer}")
    with zipfile.ZipFile(await download.path()) as archive:
        assert any(b"Where is my chair?" in archive.read(name) for name in archive.namelist())
    await page.get_by_role("button", name="Erase this customer").click()
    sure = page.get_by_role("button", name="Erase for good")
    await expect(sure).to_be_disabled()
    await page.locator("input[name=confirm]").fill("Ida")
    await expect(sure).to_be_disabled()
    await page.locator("input[name=confirm]").fill("ida berg")
    await looked_at(page, "erase")
    await page.locator("input[name=confirm]").press("Enter")
    await expect(page.locator("dialog .report")).to_contain_text("erased")
    await looked_at(page, "erased")
    await page.locator("dialog .acts").get_by_role("button", name="Close").click()
    await expect(page.locator(".contact", has_text="Ida Berg")).to_have_count(0)
    await page.get_by_role("link", name="Erasures").click()
    await expect(page.locator("details.card")).to_have_count(1)
    await page.locator("details.card summary").click()
    await expect(page.locator(".report")).to_contain_text("Conversations")
    await looked_at(page, "erasures")
    row = await service.store.row("customers.read", tenant="default", id=customer)
    assert row is None
    assert "Ida" not in await page.inner_text("main")


async def test_thousands_of_customers_scroll_and_a_narrow_window_shows_one_at_a_time(
    service: Service, folder: Path, adam: Clerk
):
    await wrote(service, folder, "Last One", "Hello")
    columns = "id, tenant, name, created_at"
    people = [
        (f"insert into customer ({columns}) values (?, 'default', ?, 1.0)", (f"many-{n:05}", f"Customer {n:05}"))
        for n in range(1_000)
    ]
    addresses = [(ADDRESS, (f"i{n:05}", f"a{n:05}", f"many-{n:05}")) for n in range(1_000)]
    talks = [(TALK, (f"t{n:05}", f"a{n:05}", f"i{n:05}", f"many-{n:05}", float(n))) for n in range(1_000)]
    await asyncio.to_thread(amend, folder, [*people, *addresses, *talks])
    page = await adam.page("/console/contacts")
    await expect(page.locator(".contact").first).to_be_visible()
    box = page.locator(".contact-list .virtual")
    async with asyncio.timeout(60):
        while not await page.locator(".contact", has_text="Customer 00700").count():
            await box.evaluate("node => { node.scrollTop += 600; }")
            await asyncio.sleep(0.05)
    assert await page.locator(".contact").count() < 60
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.goto(f"{adam.base}/console/contacts/many-00999")
    await expect(page.locator(".person-name")).to_have_text("Customer 00999")
    await expect(page.locator(".contact-list")).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await looked_at(page, "narrow")
    await page.get_by_role("button", name="All contacts").click()
    await expect(page.locator(".contact-list")).to_be_visible()
