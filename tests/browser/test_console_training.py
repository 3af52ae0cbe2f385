"""Staff at the training pages over the real service: queue by keyboard, data, runs, blind votes, releases, settings."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from server.routes import Role
from tests.browser.clerk import Clerk, amend, at_work, hired
from tests.browser.loop_seed import furnish, furnish_run, point, run
from tests.browser.test_console_inbox import ACCESS, asked, checked
from tests.scenario import Service
from tests.scenario import desk as service_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def service(folder: Path) -> AsyncIterator[Service]:
    training = {"reviewers": "staff", "minimum_examples": 10, "nice": 0, "collect_cron": "0 0 1 1 *"}
    url = f"sqlite:///{folder}/desk.db"
    async with service_on(url, folder, access=ACCESS, training=training, account={"trainable": "consent"}) as running:
        await hired(running)
        await furnish(running, folder, (await asked(running, "How long does delivery take?")))
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


def state_of(service: Service, example: str) -> Any:
    return service.store.row("loop.example", tenant="default", id=example)


async def test_the_queue_is_worked_by_keys_and_a_word_is_taken_back(service: Service, staff: Any):
    clerk = await staff()
    page = await clerk.page("/console/training/review")
    await expect(page.locator(".queue-figures")).to_contain_text("9 wait")
    await expect(page.locator(".queue-row")).to_have_count(6)
    await expect(page.locator(".example .asked")).to_contain_text("How long does delivery take?")
    await expect(page.locator(".side ins").first).to_contain_text("three working")
    await expect(page.get_by_text("Consent", exact=True)).to_be_visible()
    await checked(page)
    await page.keyboard.press("Shift+a")
    await expect(page.locator(".toast").last).to_contain_text("4 approved.")
    await expect(page.locator(".queue-figures")).to_contain_text("5 wait")
    await expect(page.locator(".example .asked")).to_have_text("Can I talk to somebody?")
    await page.keyboard.press("r")
    await expect(page.get_by_role("heading", name="Why not?")).to_be_visible()
    await page.keyboard.press("6")
    await expect(page.locator(".toast").last).to_contain_text("Rejected.")
    row = await state_of(service, "example-001")
    assert (row["status"], json.loads(row["reasons"])) == ("rejected", {"codes": ["tone"]})
    await page.keyboard.press("u")
    await expect(page.locator(".toast").last).to_contain_text("Taken back.")
    await expect(page.locator(".example .asked")).to_have_text("Can I talk to somebody?")
    assert (await state_of(service, "example-001"))["status"] == "pending"
    await page.keyboard.press("e")
    await expect(page.locator(".editor textarea")).to_be_focused()
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Sure, a person takes over.")  # letters that are shortcuts elsewhere
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".toast").last).to_contain_text("Approved.")
    row = await state_of(service, "example-001")
    assert (row["status"], json.loads(row["target"])["content"]) == ("approved", "Sure, a person takes over.")
    await page.keyboard.press("s")
    await expect(page.locator(".queue-figures")).to_contain_text("3 wait")
    await page.keyboard.press("o")
    await expect(page.locator(".thread .holder")).to_be_visible()
    assert not [line for line in clerk.complaints if "404" not in line]


async def test_two_reviewers_see_each_others_counts_live(staff: Any):
    ana, ben = await staff(), await staff("Ben Doyle", Role.STAFF)
    hers, his = await ana.page("/console/training/review"), await ben.page("/console/training/review")
    count = his.locator(".queue-figures b")
    await expect(count).to_contain_text("wait")
    before = int((await count.inner_text()).split()[0])
    await expect(hers.locator(".example")).to_be_visible()
    await hers.keyboard.press("a")
    await expect(count).to_have_text(f"{before - 1} wait" if before > 2 else "One waits")


async def test_data_is_browsed_down_to_the_rows(staff: Any):
    page = await (await staff()).page("/console/training/data")
    await expect(page.locator(".big")).not_to_have_text("0")
    await expect(page.locator("table")).to_contain_text("Grounded answer")
    await page.get_by_label("State", exact=True).select_option("rejected")
    await expect(page.locator("section:has(#browse-title) .lines > li")).to_have_count(1)
    await checked(page)
    await page.get_by_role("link", name="abababababab").click()
    await expect(page.locator(".digest")).to_have_text("ab" * 32)
    await expect(page.locator(".note.warn")).to_contain_text("4 training rows")
    await page.get_by_label("Side", exact=True).select_option("heldout")
    await expect(page.locator("section:has(#rows-title) .lines > li")).to_have_count(1)
    await checked(page)


async def test_a_run_is_watched_and_stopped(service: Service, staff: Any, folder: Path):
    clerk = await staff()
    page = await clerk.page("/console/training/run")
    await page.get_by_role("button", name="Look now").click()
    await expect(page.locator(".note", has_text="No, not yet.")).to_be_visible()
    await expect(page.locator(".checks").last).to_contain_text("No other retrain is under way")
    await expect(page.get_by_role("link", name="That run")).to_be_visible()
    await checked(page)
    progress = {"state": "training", "step": 40, "steps": 160, "left_s": 600, "tokens_per_s": 150}
    amend(
        folder,
        [run(folder, "run-now", state="running", stage="train", note="Night run", progress=json.dumps(progress))],
    )
    furnish_run(folder, "run-now", 40, judged=False)
    await page.goto(f"{service.base}/console/training/run/run-now")
    await expect(page.locator("div.now")).to_contain_text("Step 40 of 160")
    await expect(page.locator("div.now")).to_contain_text("10 min left")
    await expect(page.locator(".curve canvas")).to_be_visible()
    with (folder / "runs" / "run-now" / "progress.jsonl").open("a") as curve:
        curve.write(json.dumps(point(41)) + "\n")
    await expect(page.locator(".curve")).to_have_attribute(
        "aria-label", "Loss curve over 41 steps, now 1.66", timeout=8_000
    )
    await page.get_by_label("As a table").check()
    await expect(page.locator(".curve-box tbody tr").last).to_contain_text("41")
    await checked(page)
    await page.get_by_role("button", name="Stop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("Stopping", exact=True)).to_be_visible()
    amend(folder, [("update retrain_run set state = 'stopped', ended_at = ? where id = 'run-now'", (time.time(),))])
    assert not clerk.complaints


async def test_votes_are_blind_until_they_are_cast(service: Service, staff: Any):
    clerk = await staff("Ben Doyle", Role.STAFF)
    page = await clerk.page("/console/training/compare/run-judged")
    await expect(page.locator(".verdict h2")).to_have_text("Reject: something got worse")
    await expect(page.locator("#floors-title ~ .table-box tbody tr").first).to_contain_text("Broken")
    await checked(page)
    await page.get_by_role("link", name="Became worse 2").click()
    await expect(page.locator(".case")).to_have_count(2)
    await page.get_by_role("link", name="Blind votes").click()
    await expect(page.locator(".blind")).to_contain_text("1 of 8")
    assert "Candidate" not in await page.locator(".blind").inner_text()
    await checked(page)
    await page.keyboard.press("1")
    await expect(page.locator(".blind .side .chip")).to_have_count(2)
    await page.keyboard.press("n")
    await expect(page.locator(".blind")).to_contain_text("2 of 8")
    await expect(page.locator(".blind .side .chip")).to_have_count(0)
    await page.keyboard.press("3")
    await expect(page.locator(".tally")).to_contain_text("One person. 2 pairs.")
    tally = await (await clerk.context.request.get(f"{service.base}/api/retrains/run-judged/votes")).json()
    assert (tally["tie"], tally["candidate"] + tally["live"]) == (1, 1)


async def test_a_release_is_tried_made_live_and_rolled_back(service: Service, staff: Any):
    page = await (await staff()).page("/console/training/promote/c0ffee0000000001")
    await expect(page.locator(".chosen")).to_contain_text("answerable")
    await checked(page)
    await page.get_by_label("Share of new cases").fill("25")
    await page.get_by_role("button", name="Start the trial").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("The gate said reject.")
    await dialog.get_by_label("Reason").fill("Only style matters this week")
    await checked(page)
    await dialog.get_by_role("button", name="Start the trial").click()
    await expect(page.locator("#canary-title")).to_have_text("Trial of c0ffee000000")
    await expect(page.locator("section:has(#canary-title)")).to_contain_text("25%")
    await page.get_by_role("button", name="50%").first.click()
    await page.get_by_role("button", name="Apply the share").click()
    await expect(page.locator("section:has(#canary-title)")).to_contain_text("50% of new cases")
    await checked(page)
    await page.get_by_role("button", name="Take the trial back").click()
    await dialog.get_by_label("Reason").fill("Too short")
    await dialog.get_by_role("button", name="Take the trial back").click()
    await expect(page.locator(".timeline li").first).to_contain_text("Trial taken back")
    await expect(page.locator(".timeline li").first).to_contain_text("Too short")
    await page.goto(f"{service.base}/console/training/promote/c0ffee0000000002")
    await page.locator(".chosen").get_by_role("button", name="Make live").click()
    await dialog.get_by_role("button", name="Make live").click()
    await expect(dialog.locator(".note.bad")).to_contain_text("other settings")
    await dialog.get_by_label("Reason").fill("Reviewed by hand")
    await dialog.get_by_role("button", name="Make live").click()
    await expect(page.locator("section:has(#live-title)")).to_contain_text("c0ffee000000")
    await page.get_by_role("button", name="Roll back").click()
    await dialog.get_by_label("Reason").fill("Wrong tone")
    await dialog.get_by_role("button", name="Roll back").click()
    await expect(page.locator(".toast").last).to_contain_text("Rolled back after")
    await expect(page.locator(".timeline li").first).to_contain_text("Rolled back")


async def test_each_role_sees_what_it_may(staff: Any):
    clerk = await staff("Vera Nolan", Role.VIEWER)
    page = await clerk.page("/console/training/review")
    await expect(page.get_by_role("heading", name="This page is for other roles")).to_be_visible()
    await page.get_by_role("link", name="Run").click()
    await expect(page.get_by_text("Admins start retrains.")).to_be_visible()
    await page.get_by_role("navigation", name="Steps of training").get_by_role("link", name="Promote").click()
    await expect(page.locator("#live-title")).to_be_visible()
    await expect(page.get_by_role("button", name="Roll back")).to_have_count(0)


async def test_settings_show_what_runs_and_hide_secrets(staff: Any):
    page = await (await staff()).page("/console/settings")
    await page.get_by_label("Find a setting").fill("minimum_ex")
    await expect(page.locator(".settings-table tbody tr")).to_have_count(1)
    await expect(page.locator(".settings-table")).to_contain_text("training.minimum_examples")
    await checked(page)
    await page.get_by_role("radio", name="Deutsch").check()
    await expect(page.get_by_role("heading", name="Konfiguration")).to_be_visible()
    await page.get_by_role("radio", name="dunkel").check()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.evaluate("localStorage.clear()")


async def test_small_screens_and_german_fit(staff: Any):
    page = await (await staff(locale="de-DE", viewport={"width": 360, "height": 740})).page("/console/training/review")
    for step in ("Prüfen", "Daten", "Lauf", "Vergleich", "Freigabe"):
        await page.get_by_role("navigation", name="Schritte des Trainings").get_by_role("link", name=step).click()
        await expect(page.locator(".training-body :is(h1, .example h2, .empty h2):visible").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, step
