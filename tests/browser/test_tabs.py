"""Several tabs of one visitor, and the end of a session: one stream, one outbox, one history."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.visitor import Visit, asked, comes_true, open_chat, say, until
from tests.web_double import WebDouble

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_two_tabs_stay_in_step(visit: Visit, control: WebDouble):
    one, two = await visit.alone(), await visit.alone()
    assert len(control.conversations) == 1
    await asked(one, control, "From the first tab")
    await expect(two.locator(".customer .bubble")).to_have_text("From the first tab")
    control.conversation.begin()
    control.conversation.write("Half an ")
    three = await visit.alone()
    for tab in (one, two, three):
        await expect(tab.locator(".draft-text")).to_have_text("Half an")
    control.conversation.write("answer")
    control.conversation.finish()
    for tab in (one, two, three):
        await expect(tab.locator(".row.assistant:not(.draft) .bubble")).to_have_text("Half an answer")
    await two.get_by_role("button", name="Good answer").click()
    await expect(one.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")


async def test_eight_tabs_share_one_stream_and_another_takes_over(visit: Visit, control: WebDouble):
    tabs = [await visit.alone() for _ in range(8)]
    await until(lambda: control.open_streams == 1)
    control.conversation.say("assistant", "For everyone", turn=1)
    for tab in tabs:
        await expect(tab.locator(".row.assistant")).to_have_count(1)
    assert control.most_streams == 1
    control.refuse_streams = True
    await tabs[0].close()
    await until(lambda: control.open_streams == 0)
    control.conversation.say("assistant", "While nobody listened", turn=2)
    control.refuse_streams = False
    await until(lambda: control.open_streams == 1)
    control.conversation.say("assistant", "After the change", turn=3)
    for tab in tabs[1:]:
        await expect(tab.locator(".row.assistant")).to_have_count(3)
    assert control.most_streams == 1
    assert len(control.conversations) == 1
    streams = [seen for seen in control.requests if seen.path_qs.endswith("/events")]
    assert streams[-1].headers["Last-Event-ID"] == "1"


async def test_browser_without_locks_or_channels_reads_its_own_stream(visit: Visit, control: WebDouble):
    await visit.context.add_init_script(
        "delete Navigator.prototype.locks; delete window.BroadcastChannel; delete window.indexedDB;"
    )
    one, two = await visit.alone(), await visit.alone()
    await until(lambda: control.open_streams == 2)
    await asked(one, control, "Still works")
    await expect(two.locator(".customer .bubble")).to_have_text("Still works")


async def test_session_ended_elsewhere_clears_every_tab(visit: Visit, control: WebDouble):
    one, two = await visit.alone(), await visit.alone()
    await asked(one, control, "A secret")
    await two.locator("#field").fill("half written")
    control.conversation.commit("session_ended", {})
    for tab in (one, two):
        await expect(tab.locator("#ended")).to_be_visible()
        await expect(tab.get_by_text("A secret")).to_have_count(0)
        assert await tab.evaluate("Object.keys(localStorage).filter((key) => localStorage[key].includes('tok_'))") == []
        assert await tab.evaluate("Object.keys(sessionStorage)") == []
    await one.get_by_role("button", name="Start a new chat").click()
    await expect(one.locator("#greeting")).to_be_visible()


async def test_refused_token_is_renewed_without_losing_a_message(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control, "before")
    control.expire_tokens()
    control.conversation.visitor = ""  # the same visitor is given a new conversation
    await say(page, "after the token died")
    await until(lambda: control.conversation.customer_texts() == ["after the token died"])
    await expect(page.locator(".customer .bubble")).to_have_text("after the token died")
    assert len(control.conversations) == 2


async def test_message_of_one_visitor_is_never_sent_as_another(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control, "before")
    control.tokens.clear()
    await say(page, "not for the next visitor")
    await until(lambda: len(control.conversations) == 2)
    await asked(page, control, "as somebody new")
    await expect(page.locator(".customer")).to_have_count(1)
    await page.reload()
    await expect(page.locator(".customer .bubble")).to_have_text("as somebody new")
    assert control.conversation.customer_texts() == ["as somebody new"]
    assert len(control.conversation.posts) == 1


async def test_logout_from_the_page_clears_the_history(visit: Visit, control: WebDouble):
    page, chat = await visit.opened()
    await say(chat, "Forget me")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    await page.evaluate("frontdesk.logout()")
    await expect(chat.locator("#ended")).to_be_visible()
    await expect(chat.get_by_text("Forget me")).to_have_count(0)
    await until(lambda: any(seen.path_qs == "/web/session/end" for seen in control.requests))
    assert control.tokens == {}


async def test_logout_before_the_frame_is_there_is_not_forgotten(visit: Visit, control: WebDouble):
    page, chat = await visit.opened()
    await say(chat, "Forget me")
    await expect(chat.locator(".customer[data-state=done]")).to_have_count(1)
    await visit.context.route("**/web/frame?*", lambda route: route.abort())
    await page.reload()
    await comes_true(page, "window.frontdesk !== undefined")
    await page.evaluate("frontdesk.logout()")
    await visit.context.unroute("**/web/frame?*")
    await page.reload()
    await expect(chat.locator("#ended")).to_be_visible()
    await until(lambda: control.tokens == {})
    await comes_true(page, "!Object.keys(localStorage).some((key) => key.includes('logout'))")


async def test_identify_binds_the_signed_in_customer_in_every_tab(visit: Visit, control: WebDouble):
    page, chat = await visit.opened()
    other, other_chat = await visit.opened()
    await say(chat, "as a stranger")
    await expect(chat.locator(".customer")).to_have_count(1)
    verified = "() => new Promise((done) => { frontdesk.on('session', done); frontdesk.identify('valid:ana'); })"
    assert await page.evaluate(verified) == {"verified": True}
    await expect(chat.locator(".customer")).to_have_count(0)
    await expect(other_chat.locator(".customer")).to_have_count(0)
    await say(other_chat, "as Ana")
    await expect(chat.locator(".customer .bubble")).to_have_text("as Ana")
    assert control.conversation.visitor == "valid:ana"
    assert not [url for url in visit.urls if "valid" in url]
    await other.close()


async def test_unread_badge_counts_and_clears_in_every_tab(visit: Visit, control: WebDouble):
    one, chat = await visit.opened()
    two = await visit.page()
    await open_chat(two)
    await say(chat, "Hello")
    for tab in (one, two):
        await tab.evaluate(
            "window.counts = []; frontdesk.on('unread', (count) => counts.push(count)); frontdesk.close()"
        )
    await until(lambda: control.open_streams == 1)
    control.conversation.say("assistant", "First", turn=1)
    control.conversation.say("staff", "Second", author="Ana")
    for tab in (one, two):
        await comes_true(tab, "counts.at(-1) === 2")
        await expect(tab.get_by_role("button", name="Open chat (2 unread)")).to_be_visible()
    await two.evaluate("frontdesk.open()")
    await comes_true(one, "counts.at(-1) === 0")
    await expect(one.get_by_role("button", name="Open chat", exact=True)).to_be_visible()


async def test_streams_resume_when_the_server_asks_for_it(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await until(lambda: control.open_streams == 1)
    control.conversation.say("assistant", "One", turn=1)
    control.conversation.push(b"event: resume\ndata: {}\n\n")
    await until(lambda: sum(seen.path_qs.endswith("/events") for seen in control.requests) == 2)
    await until(lambda: control.open_streams == 1)
    control.conversation.say("assistant", "Two", turn=2)
    await expect(page.locator(".row.assistant")).to_have_count(2)
