"""Staff at the console over the real service: a day by keyboard alone, live news, languages, and accessibility."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from server.routes import Role
from tests.browser.clerk import PASSWORD, Clerk, amend, at_work, columns_of, hired
from tests.browser.test_site import violations
from tests.scenario import Service, Visitor
from tests.scenario import desk as service_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MARKUP = "<img src=x onerror=alert(1)> **bold** [x](javascript:alert(1))"
LIVE_S = 2.0  # generous: the promise is 0.5 s, and the machine that tests may be busy
MANY = 2_000
ACCESS = {"argon2_memory_kib": 8_192, "attempts_per_minute": 100}  # everybody here signs in from one address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("console")


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


async def asked(service: Service, *questions: str) -> Visitor:
    visitor = await service.visitor()
    for number, question in enumerate(questions, 1):
        await visitor.say(question)
        await visitor.answered(number)
    return visitor


def named(folder: Path, *people: tuple[Visitor, str]) -> None:
    text = "update customer set name = ? where id = (select customer_id from conversation where id = ?)"
    amend(folder, [(text, (name, visitor.conversation)) for visitor, name in people])


async def test_conversations_are_worked_by_keyboard_alone(service: Service, staff: Any, folder: Path):
    first, second = await asked(service, "Do you ship to Cork?"), await asked(service, MARKUP)
    named(folder, (first, "Tom Walsh"), (second, MARKUP))
    clerk = await staff()
    page = await clerk.page()
    await expect(page.locator(".row").first).to_contain_text("<img")
    await page.keyboard.press("j")
    await expect(page.locator(".said.customer .bubble")).to_contain_text("<img src=x onerror=alert(1)> bold")
    await page.keyboard.press("j")
    await expect(page.locator(".holder h1")).to_have_text("Tom Walsh")
    await page.keyboard.press("t")
    await expect(page.locator(".holder .state")).to_have_text("With you")
    await page.keyboard.press("r")
    await page.keyboard.type("Yes, tjbe next day.")  # letters that would be shortcuts elsewhere
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".held")).to_contain_text("tjbe next day")
    await expect(page.locator(".holder .state")).to_have_text("With you")
    await page.locator(".held").get_by_role("button", name="Undo").press("Enter")
    await expect(page.locator(".composer textarea")).to_have_value("Yes, tjbe next day.")
    await expect(page.locator(".composer textarea")).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await first.until(lambda me: me.said("staff") == ["Yes, tjbe next day."])
    await expect(page.locator(".said.staff:not(.held)")).to_contain_text("tjbe next day")
    await page.keyboard.press("Escape")
    await page.keyboard.press("n")
    await page.keyboard.type("He is a regular.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".said.note")).to_contain_text("He is a regular.")
    await page.keyboard.press("Escape")
    await page.keyboard.press("b")
    await expect(page.locator(".holder .state")).to_have_text("With the bot")
    await page.keyboard.press("e")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator(".holder .state")).to_have_text("With the bot")
    assert not [line for line in clerk.complaints if "404" not in line]


async def test_a_new_message_is_there_without_a_reload(service: Service, staff: Any):
    visitor = await asked(service, "Hello")
    page = await (await staff()).page(f"/console/inbox/{visitor.conversation}")
    await expect(page.locator(".said.assistant")).to_have_count(1)
    await expect(page.locator(".shell")).to_have_attribute("data-connection", "live")
    await visitor.say("And one more thing")
    started = time.monotonic()
    await expect(page.locator(".said.customer").last).to_contain_text("And one more thing")
    assert time.monotonic() - started < LIVE_S
    await page.context.set_offline(offline=True)
    await visitor.say("Said while the console was away")
    await page.context.set_offline(offline=False)
    await expect(page.locator(".said.customer").last).to_contain_text("Said while the console was away", timeout=20_000)


async def test_the_tabs_of_a_browser_share_one_stream(service: Service, staff: Any):
    visitor = await asked(service, "Hello")
    clerk = await staff()
    tabs = [await clerk.page(f"/console/inbox/{visitor.conversation}") for _ in range(3)]
    for tab in tabs:
        await expect(tab.locator(".shell")).to_have_attribute("data-connection", "live")
    await visitor.say("Do all of you hear me?")
    for tab in tabs:
        await expect(tab.locator(".said.customer").last).to_contain_text("Do all of you hear me?")
    await tabs[0].close()  # another one takes the stream over
    await visitor.say("Still there?")
    for tab in tabs[1:]:
        await expect(tab.locator(".said.customer").last).to_contain_text("Still there?")


async def test_two_of_the_staff_see_each_other(service: Service, staff: Any):
    visitor = await asked(service, "Hello")
    ana, ben = await staff(), await staff("Ben Doyle", Role.STAFF)
    here = f"/console/inbox/{visitor.conversation}"
    hers, his = await ana.page(here), await ben.page(here)
    await expect(hers.locator(".beside")).to_contain_text("Ben Doyle")
    await expect(his.locator(".composer textarea")).to_be_enabled()
    await his.keyboard.press("r")
    await his.keyboard.type("I will take this")
    await expect(hers.locator(".beside")).to_contain_text("Ben Doyle is writing")
    await hers.get_by_role("button", name="Take over").first.click()
    await expect(his.locator(".composer textarea")).to_be_disabled()
    await expect(his.locator(".composer textarea")).to_have_attribute(
        "placeholder", "Ana Byrne has this conversation. You can leave a note."
    )


async def test_the_switch_is_on_every_page_and_goes_back(service: Service, staff: Any):
    page = await (await staff()).page("/console/inbox?view=waiting")
    await expect(page.locator(".list-head h1")).to_have_text("Waiting")
    await page.get_by_role("switch", name="Bot on").click()
    await expect(page.locator(".banner")).to_contain_text("The bot is off")
    await page.goto(f"{service.base}/console/settings")
    await expect(page.get_by_role("heading", name="The bot is off")).to_be_visible()
    await page.locator(".banner").get_by_role("button", name="Turn the bot on").click()
    await expect(page.locator(".banner")).to_have_count(0)


async def test_help_and_palette_open_only_outside_of_text(service: Service, staff: Any):
    visitor = await asked(service, "Hello")
    page = await (await staff()).page(f"/console/inbox/{visitor.conversation}")
    await page.locator(".composer textarea").fill("What?")
    await page.locator(".composer textarea").press("?")
    await expect(page.locator("dialog")).to_have_count(0)
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Take over")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("setti")
    await expect(page.get_by_role("option", name="Settings")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Settings", exact=True)).to_be_visible()
    await page.go_back()
    await expect(page.locator(".composer textarea")).to_have_value("What??")  # the draft was kept


async def test_a_long_list_holds_only_what_is_in_sight(service: Service, staff: Any, folder: Path):
    visitor = await asked(service, "Hello")
    columns = columns_of(folder, "conversation")
    fresh = {"id": "'many-' || n", "address": "'many-' || n", "updated_at": "updated_at - n"}
    kept = ", ".join(fresh.get(name, name) for name in columns)
    text = (
        f"with recursive many(n) as (select 1 union all select n + 1 from many where n < {MANY}) "
        f"insert into conversation ({', '.join(columns)}) select {kept} from conversation, many where id = ?"
    )
    amend(folder, [(text, (visitor.conversation,))])
    page = await (await staff()).page()
    rows = page.locator(".row")
    await expect(rows.first).to_be_visible()
    await scrolled_to(page, 250)
    asked_again, go_on = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        if "cursor" not in route.request.url:
            asked_again.set()
            await go_on.wait()
        await route.continue_()

    await page.route("**/api/inbox?*", hold)
    await visitor.say("Still there?")  # the list is read again from its beginning, and answered late
    await asked_again.wait()
    await scrolled_to(page, 650)
    go_on.set()
    await scrolled_to(page, MANY + 1)  # what was read on meanwhile is still there
    assert await rows.count() < 60
    await page.unroute_all(behavior="ignoreErrors")


async def scrolled_to(page: Page, rows: int) -> None:
    """Scroll to the end, again and again, until the list holds so many."""
    async with asyncio.timeout(40):
        while int(await page.locator("li[aria-setsize]").first.get_attribute("aria-setsize") or 0) < rows:
            await page.locator(".virtual").evaluate("node => { node.scrollTop = node.scrollHeight }")


async def test_every_part_is_accessible_in_all_colours(service: Service, staff: Any):
    visitor = await asked(service, "Can I send it back?")
    page = await (await staff()).page(f"/console/inbox/{visitor.conversation}")
    await page.get_by_role("button", name="Why?").click()
    await expect(page.locator(".why")).to_contain_text("Tokens")
    await checked(page)
    await page.keyboard.press("l")
    await page.get_by_role("dialog", name="Labels").get_by_label("New label").fill("Returns")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("checkbox", name="Returns")).to_be_checked()
    await checked(page)
    await page.goto(f"{service.base}/console/settings")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await checked(page)


async def checked(page: Page) -> None:
    """Asks axe in light, dark and forced colours."""
    for media in (
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"color_scheme": "light", "forced_colors": "active"},
    ):
        await page.emulate_media(**media)  # type: ignore[arg-type]
        found = await violations(page)
        assert [(media, each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    await page.emulate_media(forced_colors="none", color_scheme="light")


async def test_german_is_whole_and_small_screens_fit(service: Service, staff: Any):
    visitor = await asked(service, "Hallo")
    page = await (await staff(locale="de-DE", viewport={"width": 360, "height": 740})).page()
    await expect(page.get_by_role("combobox", name="Ansichten")).to_be_visible()
    await page.locator(".row").first.click()
    await expect(page.get_by_role("button", name="Übernehmen").first).to_be_visible()
    assert page.url.endswith(visitor.conversation)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.get_by_role("link", name="Zurück zur Liste").click()
    await expect(page.locator(".row").first).to_be_visible()


async def test_sign_in_goes_back_to_where_one_was(browser: Browser, service: Service):
    email = await hired(service)
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{service.base}/console/inbox?view=waiting")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{service.base}/console/inbox?view=waiting")
    assert await page.get_by_label("Password").count() == 0
    await context.close()
