"""One visitor's whole way over the real service: its gateway, store, engine and streams, and a paced model double.

With `BROWSER_TEST_URL` the same tests meet a server that runs elsewhere.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from server.handoff import Handoff
from tests.browser.test_site import violations
from tests.browser.visitor import PATIENCE_MS, Desk, Shop, Visit, kept, open_chat, say, until
from tests.model_double import Pace
from tests.scenario import Service
from tests.scenario import desk as service_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ANSWER_MS = 20_000
LONG = "please tell me about " + " ".join(f"word{number}" for number in range(60))


@pytest_asyncio.fixture(loop_scope="session")
async def shop() -> AsyncIterator[Shop]:
    site = Shop()
    await site.start(int(os.environ.get("BROWSER_TEST_SHOP_PORT", "0")))
    yield site
    await site.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def service(shop: Shop, tmp_path: Path) -> AsyncIterator[Service | None]:
    if os.environ.get("BROWSER_TEST_URL"):
        yield None
        return
    url = f"sqlite:///{tmp_path}/desk.db"
    pace = Pace(tokens_per_s=20, first_token_s=0.2)
    async with service_on(url, tmp_path, pace=pace, account={"allowed_origins": [shop.origin]}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def desk(shop: Shop, service: Service | None) -> Desk:
    shop.desk = service.base if service else os.environ["BROWSER_TEST_URL"].rstrip("/")
    return Desk(shop.desk, shop, None)


@pytest.fixture
def real(service: Service | None) -> Service:
    if service is None:
        pytest.skip("looks into the store of a service in this process")
    return service


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
    await kept(page, 3)
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


async def test_reload_in_the_middle_of_an_answer_resumes_it(visit: Visit, real: Service):
    page, chat = await visit.opened()
    await say(chat, LONG)
    draft = chat.locator(".draft-text")
    await expect(draft).to_contain_text("word5", timeout=ANSWER_MS)
    await page.reload()
    await open_chat(page)
    await expect(draft).to_contain_text("answer to: please tell me about word0 word1 word2")
    answer = chat.locator(".row.assistant:not(.draft) .bubble")
    await expect(answer).to_have_text(f"answer to: {LONG}", timeout=ANSWER_MS)
    await expect(chat.locator(".row.assistant")).to_have_count(1)
    assert real.double.stats.requests == 1, "a reload does not ask the model again"
    assert visit.violations == []


async def test_stop_keeps_the_text_and_spares_the_model(visit: Visit, real: Service):
    _, chat = await visit.opened()
    await say(chat, LONG)
    await expect(chat.locator(".draft-text")).to_contain_text("word3", timeout=ANSWER_MS)
    await chat.get_by_role("button", name="Stop").click()
    answer = chat.locator(".row.assistant:not(.draft) .bubble")
    await expect(answer).to_have_count(1, timeout=ANSWER_MS)
    assert "word59" not in await answer.inner_text()
    await until(lambda: real.double.stats.cancelled == 1)


async def test_a_bad_answer_is_rated_with_its_reason(visit: Visit, real: Service):
    _, chat = await visit.opened()
    await say(chat, "Is it warm?")
    await chat.get_by_role("button", name="Bad answer").click(timeout=ANSWER_MS)
    await chat.locator(".chip").first.click()
    await expect(chat.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    async with asyncio.timeout(PATIENCE_MS / 1000):  # the thumb and then the reason are on their way
        while (rated := await ratings(real)) != [("down", "wrong")]:
            assert rated in ([], [("down", None)])
            await asyncio.sleep(0.02)


async def ratings(real: Service) -> list[tuple[str, str | None]]:
    return [(row["value"], row["reason"]) for row in await real.store.rows("journey.feedback")]


async def test_staff_take_over_in_the_middle_of_an_answer(visit: Visit, real: Service):
    _, chat = await visit.opened()
    await say(chat, LONG)
    await expect(chat.locator(".draft-text")).to_contain_text("word2", timeout=ANSWER_MS)
    (conversation,) = await real.store.rows("journey.conversations")
    handoff = Handoff(real.store)
    await handoff.claim(conversation["id"], "ana")
    await expect(chat.locator(".draft-text")).to_have_count(0)
    await handoff.say(conversation["id"], "ana", "Hello, this is Ana.")
    await expect(chat.locator(".row.staff .bubble")).to_have_text("Hello, this is Ana.")
    await expect(chat.locator(".row.assistant")).to_have_count(0)


async def test_eight_tabs_hold_one_stream(visit: Visit, real: Service):
    pages = [await visit.alone() for _ in range(8)]
    await say(pages[3], "Do all of you hear me?")
    for page in pages:
        await expect(page.locator(".row.assistant:not(.draft) .bubble")).to_have_count(1, timeout=ANSWER_MS)
    metrics = await (await real.http.get(f"{real.base}/metrics")).text()
    assert 'frontdesk_sse_connections{who="visitor"} 1.0' in metrics


async def test_a_real_conversation_is_accessible(visit: Visit, real: Service):
    page, chat = await visit.opened()
    await say(chat, "Hello")
    await expect(chat.locator(".row.assistant:not(.draft) .bubble")).to_have_count(1, timeout=ANSWER_MS)
    assert real.double.stats.requests == 1
    assert await violations(page, "/web/frame") == []
    assert await violations(page, visit.desk.shop.origin) == []
