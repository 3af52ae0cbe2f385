"""The conversation in the chat frame: sending, streaming, stopping, rating, handing over, staying exactly once."""

from __future__ import annotations

import pytest
from playwright.async_api import FrameLocator, expect

from tests.browser.visitor import Visit, asked, comes_true, kept, say, until
from tests.web_double import Fault, WebDouble

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ANSWER = "Orders before **14:00** leave the same day.\n\n- Two days in the EU\n- [Track it](https://shop.example/track)"
SPOKEN = "Assistant: Orders before 14:00 leave the same day. Two days in the EUTrack it"


async def test_answer_streams_and_ends_as_one_message(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    await expect(page.locator(".row.draft .dots")).to_be_visible()
    control.conversation.begin()
    control.conversation.write("Orders before **14:00** ")
    await expect(page.locator(".row.draft .draft-text strong")).to_have_text("14:00")
    await expect(page.locator("#stop")).to_be_visible()
    control.conversation.write(ANSWER[len("Orders before **14:00** ") :])
    control.conversation.finish()
    answer = page.locator(".row.assistant:not(.draft)")
    await expect(answer).to_have_count(1)
    await expect(answer.locator("li")).to_have_count(2)
    await expect(answer.locator("a")).to_have_attribute("rel", "noopener nofollow")
    await expect(page.locator(".row.draft")).to_have_count(0)
    await expect(page.locator("#stop")).to_be_hidden()
    await expect(answer.locator(".chip-label")).to_have_text("AI")


@pytest.mark.parametrize("how", ["replaced", "withdrawn"])
async def test_draft_that_is_not_final_leaves_nothing_behind(visit: Visit, control: WebDouble, how: str):
    page = await visit.alone()
    await asked(page, control)
    conversation = control.conversation
    conversation.begin()
    conversation.write("A first attempt")
    await expect(page.locator(".draft-text")).to_have_text("A first attempt")
    conversation.finish(how)
    await expect(page.get_by_text("A first attempt")).to_have_count(0)
    await expect(page.locator(".row.draft")).to_have_count(1 if how == "replaced" else 0)
    conversation.begin(attempt=2)
    conversation.write("The second")
    conversation.finish()
    await expect(page.locator(".row.assistant:not(.draft) .bubble")).to_have_text("The second")
    await expect(page.locator(".row.draft")).to_have_count(0)


async def test_reload_in_the_middle_of_an_answer_resumes_it(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    conversation = control.conversation
    conversation.begin()
    conversation.write("One two ")
    await expect(page.locator(".draft-text")).to_have_text("One two")
    await page.reload()
    await expect(page.locator(".draft-text")).to_have_text("One two")
    conversation.write("three \U0001f600 four")
    conversation.write(" five")
    await expect(page.locator(".draft-text")).to_have_text("One two three \U0001f600 four five")
    control.drop_streams()
    conversation.write(" six")
    conversation.finish()
    await expect(page.locator(".row.assistant:not(.draft) .bubble")).to_have_text(
        "One two three \U0001f600 four five six"
    )
    await expect(page.locator(".row.customer")).to_have_count(1)
    resumed = [seen.headers.get("Last-Event-ID") for seen in control.requests if seen.path_qs.endswith("/events")]
    assert len(resumed) >= 3
    assert all(resumed[1:])


async def test_events_older_than_retention_give_a_snapshot(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    control.refuse_streams = True
    control.drop_streams()
    await until(lambda: control.open_streams == 0)
    control.conversation.say("staff", "While you were away", author="Ana")
    control.conversation.retained_after = control.conversation.seq
    control.refuse_streams = False
    await expect(page.locator(".row.staff .bubble")).to_have_text("While you were away")
    await expect(page.locator(".row.staff .who")).to_contain_text("Ana")


async def test_draft_withdrawn_while_away_does_not_stay(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    control.conversation.begin()
    control.conversation.write("Never to be finished")
    await expect(page.locator(".draft-text")).to_have_text("Never to be finished")
    control.refuse_streams = True
    control.drop_streams()
    await until(lambda: control.open_streams == 0)
    control.conversation.finish("withdrawn")
    control.conversation.retained_after = control.conversation.seq
    control.refuse_streams = False
    await expect(page.get_by_text("Never to be finished")).to_have_count(0)
    control.conversation.begin()
    control.conversation.write("Another answer")
    await expect(page.locator(".draft-text")).to_have_text("Another answer")


async def test_connection_cut_inside_an_answer_is_tried_again(visit: Visit, control: WebDouble):
    control.cuts.extend(["session", "session", "conversations"])
    page = await visit.alone()
    assert not control.cuts
    await asked(page, control)


async def test_screen_reader_hears_the_answer_once_and_whole(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await page.evaluate(
        """() => { window.heard = [];
        new MutationObserver((all) => all.forEach((one) =>
          one.addedNodes.forEach((node) => heard.push(node.textContent))))
          .observe(document.getElementById('live'), { childList: true, subtree: true, characterData: true }); }"""
    )
    await asked(page, control)
    control.conversation.begin()
    for start in range(0, len(ANSWER), 7):
        control.conversation.write(ANSWER[start : start + 7])
    control.conversation.finish()
    await expect(page.locator(".row.assistant:not(.draft)")).to_have_count(1)
    control.drop_streams()
    await until(lambda: control.open_streams > 0)
    control.conversation.say("staff", "Hello from Ana", author="Ana")
    await expect(page.locator(".row.staff")).to_have_count(1)
    assert await page.evaluate("heard") == [SPOKEN, "Ana: Hello from Ana"]
    spoken_regions = await page.evaluate(
        "[...document.querySelectorAll('[aria-live], [role=log]')].map((each) => each.id)"
    )
    assert spoken_regions == ["live"]


async def test_stop_ends_the_answer(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await asked(page, control)
    control.conversation.begin()
    control.conversation.write("A very long story")
    await expect(page.locator(".draft-text")).to_be_visible()
    await page.locator("#stop").click()
    await expect(page.locator(".row.assistant:not(.draft) .delivery")).to_have_text("Stopped")
    await expect(page.locator("#stop")).to_be_hidden()
    await expect(page.locator("#field")).to_be_focused()


async def test_thumb_down_asks_for_a_reason_and_can_be_withdrawn(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await until(lambda: control.open_streams > 0)
    message = control.conversation.say("assistant", "We are closed on Sunday.", turn=1)
    down = page.get_by_role("button", name="Bad answer")
    await down.click()
    await expect(down).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name="Incomplete").click()
    await page.get_by_role("textbox", name="Add a comment (optional)").fill("And on holidays?")
    await page.get_by_role("textbox", name="Add a comment (optional)").press("Enter")
    await expect(page.get_by_text("Thank you for telling us.")).to_be_visible()
    await down.click()
    await expect(down).to_have_attribute("aria-pressed", "false")
    await page.get_by_role("button", name="Good answer").click()
    await until(lambda: len([each for each in control.conversation.calls if each[0] == "feedback"]) == 5)
    bodies = [body for what, body in control.conversation.calls if what == "feedback"]
    rest = {"message_id": message["id"]}
    assert bodies == [
        {**rest, "value": "down"},
        {**rest, "value": "down", "reason": "incomplete"},
        {**rest, "value": "down", "reason": "incomplete", "comment": "And on holidays?"},
        {**rest, "value": None},
        {**rest, "value": "up"},
    ]


async def test_reason_does_not_overtake_its_thumb(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await until(lambda: control.open_streams > 0)
    control.conversation.say("assistant", "We are closed on Sunday.", turn=1)
    async with visit.withheld("**/feedback"):
        await page.get_by_role("button", name="Bad answer").click()
        await page.get_by_role("button", name="Incomplete").click()
        await expect(page.locator(".comment")).to_be_visible()
        assert sum(url.endswith("/feedback") for url in visit.urls) == 1
    await until(lambda: len([each for each in control.conversation.calls if each[0] == "feedback"]) == 2)
    assert [body.get("reason") for _, body in control.conversation.calls] == [None, "incomplete"]


async def test_asking_for_a_person_becomes_a_status_line(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await until(lambda: control.open_streams > 0)
    await page.get_by_role("button", name="Talk to a person").click()
    status = page.locator("#status")
    await expect(status).to_have_text("Waiting for a person · number 2 in the queue")
    await expect(status).to_be_focused()
    await expect(page.locator("#talk")).to_be_hidden()
    control.conversation.set_state("waiting", 1)
    await expect(status).to_have_text("Waiting for a person · you are next")
    control.conversation.set_state("claimed")
    await expect(status).to_have_text("A person has joined")
    await expect(page.locator("#disclosure")).to_have_text("You are talking to our team")
    control.conversation.set_state("bot")
    await expect(page.locator("#talk")).to_be_visible()


SCRIPTS = "**/web/app.js"


async def early(visit: Visit) -> FrameLocator:
    """A chat whose field is there, but whose scripts are withheld."""
    page = await visit.page()
    await comes_true(page, "window.frontdesk !== undefined")
    await page.evaluate("frontdesk.open()")
    chat = page.frame_locator("iframe")
    await chat.locator("#field").wait_for()
    return chat


@pytest.mark.parametrize("enter_early", [True, False])
async def test_message_typed_before_the_scripts_came_is_sent(visit: Visit, control: WebDouble, enter_early: bool):
    async with visit.withheld(SCRIPTS):
        chat = await early(visit)
        await chat.locator("#field").fill("Do you repair lamps?")
        if enter_early:
            await chat.locator("#field").press("Enter")
    if not enter_early:
        await chat.locator("#app[data-connection=online]").wait_for()
        await expect(chat.locator("#send")).to_be_enabled()
        await chat.locator("#field").press("Enter")
    await expect(chat.locator(".customer[data-state=done] .bubble")).to_have_text("Do you repair lamps?")
    await expect(chat.locator("#field")).to_have_value("")
    assert control.conversation.customer_texts() == ["Do you repair lamps?"]


async def test_words_typed_early_do_not_replace_what_an_earlier_page_left_unsent(visit: Visit, control: WebDouble):
    page, chat = await visit.opened()
    await chat.locator("#field").fill("Half a question")
    async with visit.withheld(SCRIPTS):
        await page.reload(wait_until="domcontentloaded")
        await chat.locator("#field").fill("and the rest")
    await expect(chat.locator("#field")).to_have_value("Half a question\nand the rest")
    async with visit.withheld(SCRIPTS):
        await page.reload(wait_until="domcontentloaded")
        await say(chat, "Something else")
    await expect(chat.locator(".customer[data-state=done] .bubble")).to_have_text("Something else")
    await expect(chat.locator("#field")).to_have_value("Half a question\nand the rest")
    assert control.conversation.customer_texts() == ["Something else"]


@pytest.mark.parametrize("step", ["session", "conversations/*", "conversations/*/events"])
async def test_message_written_while_the_desk_is_slow_is_sent_once(visit: Visit, control: WebDouble, step: str):
    async with visit.withheld(f"**/web/{step}"):
        chat = await early(visit)
        await expect(chat.locator("#greeting-title")).not_to_be_empty()
        await say(chat, "Is anybody there?")
        await expect(chat.locator(".customer .bubble")).to_have_text("Is anybody there?")
    await expect(chat.locator(".customer[data-state=done] .bubble")).to_have_text("Is anybody there?")
    assert control.conversation.customer_texts() == ["Is anybody there?"]


@pytest.mark.parametrize("reload", [False, True])
async def test_offline_message_is_sent_exactly_once(visit: Visit, control: WebDouble, reload: bool):
    page = await visit.alone()
    await asked(page, control, "first")
    await visit.context.set_offline(offline=True)
    await say(page, "kept while away")
    await say(page, "and this one")
    await expect(page.locator("#connection")).to_contain_text("offline")
    await expect(page.locator(".customer[data-state=kept]")).to_have_count(1)
    await expect(page.locator(".customer")).to_have_count(3)
    if reload:
        await kept(page, 2)
        await page.close()
        await visit.context.set_offline(offline=False)
        page = await visit.alone()
    else:
        await visit.context.set_offline(offline=False)
    await expect(page.locator(".customer[data-state=done]")).to_have_count(3)
    await expect(page.locator("#connection")).to_be_hidden()
    assert control.conversation.customer_texts() == ["first", "kept while away", "and this one"]


async def test_lost_answer_to_a_send_repeats_with_the_same_id(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await until(lambda: control.open_streams > 0)
    control.faults.extend([Fault(503), Fault(429, retry_after_s=1), Fault(0)])
    await say(page, "only once")
    await expect(page.locator(".customer[data-state=kept] .link-button")).to_have_text("Retry")
    await page.locator(".customer .link-button").click()
    await expect(page.locator(".customer[data-state=done]")).to_have_count(1)
    await until(lambda: sum(control.conversation.posts.values()) >= 3)
    assert control.conversation.customer_texts() == ["only once"]
    assert len(control.conversation.posts) == 1


async def test_message_the_server_fails_at_makes_way(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await until(lambda: control.open_streams > 0)
    control.faults.extend([Fault(409), *[Fault(500)] * 4])
    await say(page, "poison")
    await say(page, "after it")
    await expect(page.locator(".customer[data-state=refused] .bubble")).to_have_text("poison", timeout=20_000)
    await expect(page.locator(".customer[data-state=done] .bubble")).to_have_text("after it")
    await page.locator(".customer[data-state=refused]").get_by_role("button", name="Retry").click()
    await expect(page.locator(".customer[data-state=done]")).to_have_count(2)
    assert sorted(control.conversation.posts.values()) == [1, 6]


async def test_refused_message_stays_with_its_reason(visit: Visit, control: WebDouble):
    page = await visit.alone()
    control.faults.append(Fault(422))
    await say(page, "unwelcome")
    bubble = page.locator(".customer[data-state=refused]")
    await expect(bubble.locator(".delivery")).to_contain_text("Not sent")
    await bubble.get_by_role("button", name="Retry").click()
    await expect(page.locator(".customer[data-state=done]")).to_have_count(1)


async def test_length_limit_shows_before_it_bites(visit: Visit):
    page = await visit.alone()
    await page.locator("#field").fill("a" * 7_500)
    await expect(page.locator("#counter")).to_have_text("500 characters left")
    await page.locator("#field").fill("é" * 4_001)
    await expect(page.locator("#counter")).to_have_text("1 character too many")
    await expect(page.locator("#send")).to_be_disabled()


async def test_enter_while_composing_and_shift_enter_do_not_send(visit: Visit, control: WebDouble):
    page = await visit.alone()
    field = page.locator("#field")
    await field.fill("かな")
    await field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True})
    await field.press("Shift+Enter")
    await expect(field).to_have_value("かな\n")
    await field.press("Enter")
    await expect(page.locator(".customer[data-state=done] .bubble")).to_have_text("かな")
    assert control.conversation.customer_texts() == ["かな"]


async def test_model_states_and_reconnecting_are_told(visit: Visit, control: WebDouble):
    page = await visit.alone()
    await until(lambda: control.open_streams > 0)
    status = page.locator("#status")
    for model, words in (("loading", "starting"), ("busy", "in the queue"), ("down", "away")):
        control.conversation.set_model(model)
        await expect(status).to_contain_text(words)
    control.conversation.set_model("ready")
    await expect(status).to_be_hidden()
    control.refuse_streams = True
    control.drop_streams()
    await expect(page.locator("#connection")).to_have_text("Reconnecting…")
    control.refuse_streams = False
    await expect(page.locator("#connection")).to_be_hidden()


HOSTILE = [
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "[click](javascript:alert(1)) ![pixel](https://evil.example/p.png) [x](data:text/html,hi)",
    "**" * 3_000 + "[" * 3_000 + "`" * 1_001,
    "```js\n<b>code</b>\n```\n1. one\n2. two\n   - deep\n> quote",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_answers_are_text_and_never_markup(visit: Visit, control: WebDouble, text: str):
    page = await visit.alone()
    await until(lambda: control.open_streams > 0)
    control.conversation.say("assistant", text, turn=1)
    bubble = page.locator(".row.assistant .bubble")
    await expect(bubble).to_be_visible()
    assert await bubble.locator("img, script, b, a").count() == 0
    assert not [url for url in visit.urls if "evil.example" in url]
    assert visit.violations == []
