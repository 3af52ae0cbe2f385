"""One visitor's journey that needs nothing but HTTP: it runs against the double and against a real server alike."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.visitor import Desk, Visit, open_chat, say
from tests.web_double import Conversation

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ANSWER_MS = 20_000


@pytest.fixture(autouse=True)
def answering(desk: Desk) -> None:
    """The double answers like a bot; a real server has its own."""

    def answer(conversation: Conversation, text: str) -> None:
        conversation.begin()
        conversation.write(f"You asked: {text}")
        conversation.finish()

    if desk.control is not None:
        desk.control.on_message = answer


async def test_question_is_answered_in_every_tab_and_survives_a_reload(visit: Visit):
    page, chat = await visit.opened()
    await say(chat, "When do you ship?")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    answer = chat.locator(".row.assistant:not(.draft) .bubble")
    await expect(answer).to_have_count(1, timeout=ANSWER_MS)
    text = await answer.inner_text()
    other = await visit.page()
    await open_chat(other)
    await expect(other.frame_locator("iframe").locator(".row.assistant:not(.draft) .bubble")).to_have_text(text)
    await page.reload()
    await expect(chat.locator(".row.assistant:not(.draft) .bubble")).to_have_text(text)
    await expect(chat.locator(".customer")).to_have_count(1)
    assert visit.violations == []


async def test_rating_and_asking_for_a_person(visit: Visit):
    page, chat = await visit.opened()
    await say(chat, "Can I send it back?")
    up = chat.get_by_role("button", name="Good answer")
    await up.click(timeout=ANSWER_MS)
    await expect(up).to_have_attribute("aria-pressed", "true")
    await chat.get_by_role("button", name="Talk to a person").click()
    await expect(chat.locator("#status")).to_contain_text("Waiting for a person")
    await page.reload()
    await expect(chat.locator("#status")).to_contain_text("Waiting for a person")
    await expect(up).to_have_attribute("aria-pressed", "true")
    await expect(chat.locator("#alert")).to_be_hidden()


async def test_messages_written_offline_arrive_once_and_in_order(visit: Visit):
    page = await visit.alone()
    await visit.context.set_offline(offline=True)
    for text in ("one", "two", "three"):
        await say(page, text)
    await expect(page.locator(".customer")).to_have_count(3)
    await page.close()
    await visit.context.set_offline(offline=False)
    page = await visit.alone()
    await expect(page.locator(".customer[data-state=done]")).to_have_count(3)
    assert await page.locator(".customer .bubble").all_inner_texts() == ["one", "two", "three"]
    await page.reload()
    await expect(page.locator(".customer[data-state=done]")).to_have_count(3)


async def test_logout_forgets_the_visitor(visit: Visit):
    page, chat = await visit.opened()
    await say(chat, "Forget me")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    await page.evaluate("frontdesk.logout()")
    await expect(chat.locator("#ended")).to_be_visible()
    await chat.get_by_role("button", name="Start a new chat").click()
    await expect(chat.locator("#greeting")).to_be_visible()
    await expect(chat.get_by_text("Forget me")).to_have_count(0)


async def test_demo_page_talks_to_the_desk(visit: Visit):
    page = await visit.page(f"{visit.desk.base_url}/web/demo")
    await page.get_by_role("button", name="Ask us anything").click()
    chat = page.frame_locator("iframe")
    await say(chat, "Do you repair lamps?")
    await expect(chat.locator(".row.assistant:not(.draft) .bubble")).to_have_count(1, timeout=ANSWER_MS)
    assert visit.violations == []
