"""Footnotes under answers and offered replies: reachable, readable, safe, and gone when they no longer apply."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.test_site import SHAPES, shoot, violations
from tests.browser.visitor import Desk, Visit, asked, say, until
from tests.web_double import Conversation, WebDouble

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TEXT = (
    "You have **30 days** to send a blanket back [1]. It must be unwashed [1][2].\n\n"
    "- Postage from Ireland is free [2]\n- `code [1]` and [3] stay as they are"
)
QUOTE = "Blankets and throws may come back within 30 days of delivery, unwashed and with their label."
CITATIONS: list[dict[str, Any]] = [
    {
        "number": 1,
        "title": "Returns and refunds",
        "heading": "Returns and refunds > Blankets > Throws",
        "url": "https://shop.example/returns",
        "passage": "d1:3:0123456789ab",
        "quote": QUOTE,
    },
    {
        "number": 2,
        "title": "Caring for wool <b>",
        "heading": "",
        "url": "javascript:alert(1)",
        "passage": "d2:0",
        "quote": "Unwashed.",
    },
]
REPLIES = ["Yes, book it", "No, thanks"]


def cited(conversation: Conversation, **more: Any) -> None:
    """An answer with two sources."""
    conversation.say("assistant", TEXT, turn=1, citations=CITATIONS, **more)


async def test_marks_lead_to_the_source_and_its_page(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    cited(control.conversation)
    answer = page.locator(".row.assistant")
    await expect(answer.locator(".bubble a.mark")).to_have_text(["1", "1", "2", "2"])
    await expect(answer.locator(".bubble li").last).to_have_text("code [1] and [3] stay as they are")
    sources = answer.get_by_role("list", name="Sources").get_by_role("button")
    await expect(sources).to_have_text(["1Returns and refunds", "2Caring for wool <b>"])
    await answer.get_by_label("Source 1: Returns and refunds").first.click()
    panel = answer.locator(".source-panel")
    await expect(panel.locator(".source-name")).to_have_text("Returns and refunds \u203a Blankets \u203a Throws")
    await expect(panel.locator("blockquote")).to_have_text(QUOTE)
    await expect(panel.get_by_role("link", name="Open the page")).to_have_attribute("href", CITATIONS[0]["url"])
    await expect(sources.first).to_be_focused()
    await expect(sources.first).to_have_attribute("aria-expanded", "true")
    assert "#" not in page.url.removesuffix("#locale=en")


async def test_a_source_opens_and_closes_and_an_unsafe_address_is_no_link(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    cited(control.conversation)
    second = page.get_by_role("button", name="2 Caring for wool <b>")
    await second.click()
    panel = page.locator(".source-panel")
    await expect(panel).to_contain_text("Unwashed.")
    await expect(panel.locator("a")).to_have_count(0)
    await second.click()
    await expect(panel).to_be_hidden()


async def test_a_quote_is_words_without_markup_and_says_where_it_was_cut(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    table = "# Rates\n\n| Where | Price |\n|---|:---|\n| Ireland | **5.90** |\n\n- one\n- two\n\n"
    quote = (table + "Times count from the day the parcel is handed over, not from the day you order. " * 3)[:200]
    control.conversation.say("assistant", "See [1].", turn=1, citations=[{**CITATIONS[0], "quote": quote}])
    await page.locator("a.mark").click()
    shown = await page.locator(".source-panel blockquote").inner_text()
    assert shown.startswith("Rates Where · Price Ireland · 5.90 one two Times count")
    assert shown.endswith("the parcel is …")


async def test_a_draft_shows_marks_that_become_footnotes(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    control.conversation.begin()
    control.conversation.write("Thirty days [1].")
    await expect(page.locator(".draft-text sup.mark")).to_have_text("1")
    control.conversation.write(" Unwashed [2].")
    await expect(page.locator(".draft-text sup.mark")).to_have_text(["1", "2"])
    control.conversation.finish(citations=CITATIONS)
    await expect(page.locator(".row.assistant:not(.draft) a.mark")).to_have_text(["1", "2"])


async def test_footnotes_are_there_again_after_a_reload(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    cited(control.conversation, replies=REPLIES)
    await expect(page.locator(".source")).to_have_count(2)
    await page.reload()
    await expect(page.locator(".source")).to_have_count(2)
    await expect(page.locator(".choice")).to_have_count(2)


async def test_a_choice_is_said_once_and_the_offer_ends(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    control.conversation.say("assistant", "Shall I book Friday at 10:00?", turn=1, replies=REPLIES)
    offer = page.get_by_role("group", name="Suggested answers")
    await expect(offer.get_by_role("button")).to_have_text(REPLIES)
    await offer.get_by_role("button", name="Yes, book it").dblclick(no_wait_after=True)
    await until(lambda: control.conversation.customer_texts()[-1] == "Yes, book it")
    await expect(offer).to_have_count(0)
    await expect(page.locator(".customer[data-state=done]").last).to_contain_text("Yes, book it")
    assert control.conversation.customer_texts().count("Yes, book it") == 1
    assert await page.evaluate("document.activeElement.id") == "log"


async def test_an_offer_ends_when_somebody_else_speaks(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    control.conversation.say("assistant", "Shall I?", turn=1, replies=REPLIES)
    await expect(page.locator(".choice")).to_have_count(2)
    control.conversation.set_state("claimed")
    await expect(page.locator(".choice")).to_have_count(0)
    control.conversation.set_state("bot")
    await expect(page.locator(".choice")).to_have_count(2)
    await say(page, "Actually, no")
    await expect(page.locator(".choice")).to_have_count(0)


async def test_the_ear_gets_words_sources_and_choices(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    control.conversation.say("assistant", "Thirty days [1].", turn=1, citations=CITATIONS, replies=REPLIES)
    await expect(page.locator("#live")).to_have_text(
        "Assistant: Thirty days.\n2 sources\nSuggested answers: Yes, book it, No, thanks"
    )


@pytest.mark.parametrize(
    ("shape", "locale"), [("wide", "en"), ("small", "en"), ("dark", "de"), ("wide", "ar"), ("contrast", "en")]
)
async def test_sources_and_choices_are_accessible(
    browser: Browser, desk: Desk, control: WebDouble, shape: str, locale: str
):
    desk.shop.attributes = f'data-account="default" data-locale="{locale}" data-color="#2c5f52"'
    context = await browser.new_context(reduced_motion="reduce", **SHAPES[shape])
    page, chat = await Visit(context, desk).opened()
    await say(chat, "How long may I keep a blanket?")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    cited(control.conversation, replies=[*REPLIES, "A very long reply that does not fit on one line of a phone"])
    await chat.locator("a.mark").first.click()
    await expect(chat.locator(".source-panel")).to_be_visible()
    await shoot(page, f"sources-{shape}-{locale}")
    await chat.locator("#log").evaluate("(log) => { log.scrollTop = log.scrollHeight; }")
    await shoot(page, f"choices-{shape}-{locale}")
    assert await violations(page, "/web/frame") == []
    body = chat.locator("body")
    assert await body.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert await body.evaluate(
        "() => document.getElementById('log').scrollWidth <= document.getElementById('log').clientWidth"
    )
    small = await body.evaluate(
        """() => [...document.querySelectorAll('button, .source-open')].filter((each) => each.checkVisibility())
        .map((each) => [each.className, each.getBoundingClientRect()])
        .filter(([, box]) => box.width < 44 || box.height < 44).map(([name]) => name)"""
    )
    assert small == []
    await context.close()
