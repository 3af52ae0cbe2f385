"""The widget on a stranger's page: privacy, policies, keyboard, small screens, colours, languages, accessibility."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.visitor import Desk, Visit, asked, comes_true, open_chat, say, until
from tests.web_double import WIDGET, Conversation, WebDouble

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
SHOTS = os.environ.get("BROWSER_TEST_SHOTS", "")
SHAPES = {
    "wide": {"viewport": {"width": 1180, "height": 820}},
    "small": {"viewport": {"width": 320, "height": 640}, "has_touch": True},
    "dark": {"viewport": {"width": 1180, "height": 820}, "color_scheme": "dark"},
    "contrast": {"viewport": {"width": 1180, "height": 820}, "forced_colors": "active"},
}
ANSWER = """Yes, you can send it back within **30 days**:

1. Open *My orders* and choose the item.
2. Print the label, or show the code `R-2041` at the counter.
3. The refund arrives in 3 to 5 days.

More in the [returns guide](https://shop.example/returns)."""


async def shoot(page: Page, name: str) -> None:
    """Keeps a picture when someone wants to look."""
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png")


async def furnish(conversation: Conversation) -> None:
    """A conversation with one of everything."""
    conversation.say("assistant", ANSWER, turn=1, feedback="down")
    conversation.say("notice", "Ana from the team has joined the conversation.")
    conversation.say("staff", "Hi, this is Ana. I have put the label into your mail.", author="Ana")
    conversation.say("customer", "Wonderful, thank you!")
    conversation.begin()
    conversation.write("Glad to help. Is there ")


async def violations(page: Page, frame_url: str = "") -> list[dict[str, Any]]:
    """What axe finds that is serious or worse, on the page or in one of its frames."""
    where = next(frame for frame in page.frames if frame_url in frame.url)
    await where.evaluate(AXE)
    found = await where.evaluate("axe.run(document, { iframes: false, resultTypes: ['violations'] })")
    return [each for each in found["violations"] if each["impact"] in {"serious", "critical"}]


async def test_languages_are_complete(visit: Visit):
    page = await visit.alone()
    catalogue = await page.evaluate("import('/web/locales.js').then((module) => module.CATALOGUE)")
    assert set(catalogue) >= {"en", "de", "ar"}
    loader = (WIDGET / "widget.js").read_text(encoding="utf-8")
    for language, words in catalogue.items():
        assert set(words) == set(catalogue["en"]), language
        for key in ("open", "openUnread", "close", "panel"):
            assert f"'{words[key]}'" in loader, (language, key)


async def test_token_stays_in_the_frame_and_out_of_every_address(visit: Visit, control: WebDouble):
    page = await visit.page()
    await page.evaluate(
        "window.posted = []; addEventListener('message', (event) => posted.push(JSON.stringify(event.data)))"
    )
    await open_chat(page)
    chat = page.frame_locator("iframe")
    await say(chat, "My card number is a secret")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    await until(lambda: control.open_streams == 1)
    control.conversation.say("assistant", "A private answer", turn=1)
    await expect(chat.locator(".row.assistant")).to_have_count(1)
    tokens = list(control.tokens)
    assert tokens
    told = json.dumps(await page.evaluate("[posted, {...localStorage}, {...sessionStorage}, document.cookie]"))
    html = await page.content()
    for secret in (*tokens, "secret", "A private answer", control.conversation.id):
        assert secret not in told
        assert secret not in html
    assert not [url for url in visit.urls if "tok_" in url]
    for seen in control.requests:
        assert "tok_" not in seen.path_qs
        assert "tok_" not in seen.headers.get("Referer", "")
        assert "Cookie" not in seen.headers


async def test_strict_policies_and_rude_styles_do_no_harm(visit: Visit, control: WebDouble):
    page, chat = await visit.opened()
    await say(chat, "Hello")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    await furnish(control.conversation)
    await expect(chat.locator(".draft-text")).to_be_visible()
    assert visit.complaints == []
    frame = await page.locator("iframe").bounding_box()
    assert frame
    assert frame["width"] > 300
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shift = """() => new Promise((done) => {
        const add = (list) => done(list.getEntries().reduce((sum, each) => sum + each.value, 0));
        new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => done(0), 300); })"""
    assert await page.evaluate(shift) == 0


async def test_launcher_is_closed_to_the_page(visit: Visit):
    page = await visit.page(peek=False)
    await comes_true(page, "window.frontdesk !== undefined")
    assert await page.evaluate("document.getElementById('frontdesk-widget').shadowRoot") is None
    assert await page.evaluate("Object.isFrozen(frontdesk)")


async def test_frame_ignores_strangers_and_strangers_ignore_frames(visit: Visit, control: WebDouble):
    page, chat = await visit.opened()
    frame = next(each for each in page.frames if "/web/frame" in each.url)
    await frame.evaluate("postMessage({ frontdesk: 1, type: 'logout' }, '*')")
    await page.evaluate("postMessage({ frontdesk: 1, type: 'close' }, '*')")
    await say(chat, "Still here")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    assert control.tokens


async def test_keyboard_alone_opens_writes_and_closes(visit: Visit, control: WebDouble):
    page = await visit.page()
    await comes_true(page, "window.frontdesk !== undefined")
    launcher = page.get_by_role("button", name="Open chat")
    await launcher.wait_for()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(launcher).to_be_focused()
    await page.keyboard.press("Enter")
    chat = page.frame_locator("iframe")
    await expect(chat.locator("#field")).to_be_focused()
    await page.keyboard.type("No mouse here")
    await page.keyboard.press("Enter")
    await expect(chat.locator(".customer[data-state=done] .bubble")).to_have_text("No mouse here")
    assert control.conversation.customer_texts() == ["No mouse here"]
    await page.keyboard.press("Escape")
    await expect(launcher).to_be_focused()
    await expect(page.locator("iframe")).to_be_hidden()
    await page.keyboard.press("Space")
    await expect(chat.locator("#field")).to_be_focused()


async def test_full_screen_keeps_the_focus_inside(browser: Browser, desk: Desk, control: WebDouble):
    context = await browser.new_context(**SHAPES["small"])
    page, chat = await Visit(context, desk).opened()
    box = await page.locator("iframe").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 320, "height": 640}
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.id") == "frontdesk-widget"
    await chat.locator("#close").click()
    await expect(page.get_by_role("button", name="Open chat")).to_be_focused()
    assert control.tokens
    await context.close()


@pytest.mark.parametrize(
    ("shape", "locale"), [("wide", "en"), ("small", "en"), ("dark", "de"), ("wide", "ar"), ("contrast", "en")]
)
async def test_every_look_is_accessible(browser: Browser, desk: Desk, control: WebDouble, shape: str, locale: str):
    desk.shop.attributes = f'data-account="default" data-locale="{locale}" data-color="#2c5f52"'
    context = await browser.new_context(reduced_motion="reduce", **SHAPES[shape])
    visit = Visit(context, desk)
    page, chat = await visit.opened()
    await shoot(page, f"{shape}-{locale}-empty")
    await say(chat, "Can I send the lamp back?")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    await furnish(control.conversation)
    await expect(chat.locator(".draft-text")).to_be_visible()
    await shoot(page, f"{shape}-{locale}-end")
    await chat.locator("#log").evaluate("(log) => { log.scrollTop = 0; }")
    await chat.locator(".thumb").last.click()
    await chat.locator(".thumb").last.click()
    await chat.locator(".chip").nth(1).click()
    await expect(chat.locator(".comment")).to_be_visible()
    await shoot(page, f"{shape}-{locale}-reasons")
    assert await violations(page, "/web/frame") == []
    body = chat.locator("body")
    assert await body.evaluate("(body) => body.ownerDocument.documentElement.dir") == (
        "rtl" if locale == "ar" else "ltr"
    )
    assert await body.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert await body.evaluate(
        "() => document.getElementById('log').scrollWidth <= document.getElementById('log').clientWidth"
    )
    small = await body.evaluate(
        """() => [...document.querySelectorAll('button')].filter((each) => each.checkVisibility())
        .map((each) => [each.className, each.getBoundingClientRect()])
        .filter(([, box]) => box.width < 44 || box.height < 44).map(([name]) => name)"""
    )
    assert small == []
    await context.close()


async def test_locale_changes_while_open(visit: Visit, control: WebDouble):
    page, chat = await visit.opened()
    await say(chat, "Hallo")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    control.conversation.set_state("waiting", 3)
    await page.evaluate("frontdesk.setLocale('de-AT')")
    await expect(chat.locator("#status")).to_have_text("Wir holen jemanden dazu · Platz 3 in der Warteschlange")
    await expect(page.get_by_role("button", name="Chat schließen").first).to_be_visible()
    await expect(chat.locator(".customer .bubble")).to_have_text("Hallo")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_demo_shop_is_accessible_and_opens_the_chat(browser: Browser, desk: Desk, scheme: str):
    context = await browser.new_context(
        color_scheme=scheme, viewport={"width": 1280, "height": 860}, reduced_motion="reduce"
    )
    visit = Visit(context, desk)
    page = await visit.page(f"{desk.base_url}/web/demo")
    await comes_true(page, "window.frontdesk !== undefined")
    await shoot(page, f"demo-{scheme}")
    assert await violations(page) == []
    await page.get_by_role("button", name="Ask us anything").click()
    await expect(page.frame_locator("iframe").locator("#greeting-title")).to_be_visible()
    await shoot(page, f"demo-{scheme}-open")
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.evaluate("frontdesk.close()")
    await shoot(page, f"demo-{scheme}-phone")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visit.violations == []
    await context.close()


async def test_demo_shop_opens_the_chat_when_its_script_comes_late(visit: Visit):
    async with visit.withheld("**/widget.js"):
        page = await visit.page(f"{visit.desk.base_url}/web/demo", loaded="domcontentloaded")
        await page.get_by_role("button", name="Ask us anything").click()
    await expect(page.frame_locator("iframe").locator("#greeting-title")).to_be_visible()


async def test_answer_that_began_before_the_chat_was_opened_is_there(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    control.conversation.begin()
    control.conversation.write("Already writing")
    shop = await visit.page()
    await open_chat(shop)
    await expect(shop.frame_locator("iframe").locator(".draft-text")).to_have_text("Already writing")
