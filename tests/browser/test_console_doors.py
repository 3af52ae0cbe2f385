"""The pages at the door in both languages: sign-in, second step, one-time links, and what they refuse.

``BROWSER_TEST_SHOTS`` names a folder that gets a picture of each, in light and dark.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from config.settings import Access
from server.auth.totp import STEP_S, code_at
from server.routes import Role
from tests.browser.test_site import violations
from tests.server.desk import CLI, PASSWORD, Desk, open_desk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SHOTS = os.environ.get("BROWSER_TEST_SHOTS", "")
STRICT = Access(argon2_memory_kib=8_192, attempts_per_minute=6, second_factor_roles=("admin",))
LOCALES = {"en": "en-GB", "de": "de-AT"}
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "login": "Sign in", "wrong": "Email or password is wrong", "code": "Second step", "field": "Code",
        "used": "The code is wrong", "enrol": "Set up your second step", "kept": "Recovery codes", "setup": "Welcome",
        "invite": "Join the desk", "reset": "New password", "broken": "This link does not work",
        "whole": "The link is incomplete", "gone": "This link was used", "short": "Choose a password of at least 12",
        "many": "Too many attempts. Wait 60 seconds", "email": "Email", "password": "Password",
        "away": "cannot be reached", "address": "Type an email address",
    },
    "de": {
        "login": "Anmelden", "wrong": "E-Mail oder Passwort ist falsch", "code": "Zweiter Schritt", "field": "Code",
        "used": "Der Code ist falsch", "enrol": "Zweiten Schritt einrichten", "kept": "Ersatzcodes",
        "setup": "Willkommen", "invite": "Ins Team kommen", "reset": "Neues Passwort",
        "broken": "Dieser Link gilt nicht", "whole": "Der Link ist unvollständig",
        "gone": "Dieser Link wurde schon benutzt",
        "short": "Wählen Sie ein Passwort mit mindestens 12", "many": "Zu viele Versuche. Warten Sie 60 Sekunden",
        "email": "E-Mail", "password": "Passwort", "away": "ist nicht erreichbar",
        "address": "Geben Sie eine E-Mail-Adresse ein",
    },
}  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}", access=STRICT) as opened:
        yield opened


async def door(browser: Browser, language: str, complaints: list[str]) -> Page:
    """A narrow tab of a browser that prefers this language; it keeps what the page complains about."""
    context = await browser.new_context(
        viewport={"width": 360, "height": 780}, locale=LOCALES[language], reduced_motion="reduce"
    )
    page = await context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


async def seen(page: Page, name: str, language: str) -> None:
    """The page is in its language, fits, and axe finds nothing serious in light or dark."""
    assert await page.evaluate("document.documentElement.lang") == language
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    for colours in ("light", "dark"):
        await page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]  # one of the library's words
        found = await violations(page)
        assert [(name, colours, each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
        if SHOTS:
            await page.screenshot(path=f"{SHOTS}/{name}-{language}-{colours}.png", full_page=True)
    await page.emulate_media(color_scheme="light")


def address(desk: Desk, path: str) -> str:
    return str(desk.server.make_url(path))


@pytest.mark.parametrize("language", LOCALES)
async def test_the_first_admin_comes_in_with_an_app_and_signs_in_again(browser: Browser, desk: Desk, language: str):
    words, complaints = WORDS[language], list[str]()
    page = await door(browser, language, complaints)
    await page.goto((await desk.links.setup(CLI)).url.replace("http://desk.test", address(desk, "/").rstrip("/")))
    await expect(page.get_by_role("heading", name=words["setup"])).to_be_visible()
    await seen(page, "setup", language)
    for text in ("Ana", "ana@example.com", "too short"):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text(words["short"])
    await expect(page.get_by_label(words["password"])).to_have_attribute("aria-invalid", "true")
    await seen(page, "setup-refused", language)
    await page.keyboard.press("Control+A")  # the focus is at what was wrong
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=words["enrol"])).to_be_visible()
    await seen(page, "enrol", language)
    secret = await page.locator("#secret").inner_text()
    await page.get_by_role("textbox", name=words["field"]).fill("000000")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text(words["used"])
    await page.get_by_role("textbox", name=words["field"]).fill(code_at(secret, int(desk.clock() // STEP_S)))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=words["kept"])).to_be_visible()
    await seen(page, "kept", language)
    desk.attempt_clock.now_s += 61
    await page.goto(address(desk, "/console/login"))
    await expect(page.get_by_role("heading", name=words["login"])).to_be_visible()
    assert await page.title() == f"{words['login']} · frontdesk"
    await seen(page, "login", language)
    await page.keyboard.type("ana@example.com")  # the focus is where it belongs
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=words["code"])).to_be_visible()
    await seen(page, "code", language)
    assert [line for line in complaints if "401" not in line and "422" not in line] == []
    await page.context.close()


@pytest.mark.parametrize("language", LOCALES)
async def test_links_say_what_they_are_for_and_what_is_wrong_with_them(browser: Browser, desk: Desk, language: str):
    words, complaints = WORDS[language], list[str]()
    page, base = await door(browser, language, complaints), address(desk, "/").rstrip("/")
    await desk.person(Role.STAFF, "ben@example.com")
    links = {
        "invite": (await desk.links.invite(CLI, "cora@example.com", Role.STAFF)).url,
        "reset": (await desk.links.reset(CLI, "ben@example.com")).url,
    }
    for name, url in links.items():
        await page.goto("about:blank")
        await page.goto(url.replace("http://desk.test", base))
        await expect(page.get_by_role("heading", name=words[name])).to_be_visible()
        await seen(page, name, language)
        desk.attempt_clock.now_s += 61
    for name, token in (("whole", "half"), ("gone", "x" * 43)):
        await page.goto("about:blank")
        await page.goto(f"{base}/console/setup#{token}")
        await expect(page.get_by_role("heading", name=words["broken"])).to_be_visible()
        await expect(page.get_by_role("alert")).to_contain_text(words[name])
    await seen(page, "broken", language)
    assert [line for line in complaints if "410" not in line and "422" not in line] == []
    await page.context.close()


@pytest.mark.parametrize("language", LOCALES)
async def test_refusals_are_told_in_the_language_and_change_with_it(browser: Browser, desk: Desk, language: str):
    words, complaints = WORDS[language], list[str]()
    page = await door(browser, language, complaints)
    await page.goto(address(desk, "/console/login"))
    alert = page.get_by_role("alert")

    async def attempt(email: str = "nobody@example.com") -> None:
        await expect(page.locator("#form button")).to_be_enabled()  # the attempt before is over
        await page.get_by_label(words["email"]).fill(email)
        await page.get_by_label(words["password"]).fill("not the password")
        await page.keyboard.press("Enter")

    await attempt("nobody")
    await expect(alert).to_contain_text(words["address"])
    await attempt()
    await expect(alert).to_contain_text(words["wrong"])
    await seen(page, "login-refused", language)
    for _ in range(6):
        await attempt()
    await expect(alert).to_contain_text(words["many"])
    await page.route("**/api/session", lambda route: route.abort())
    await attempt()
    await expect(alert).to_contain_text(words["away"])
    other = next(tag for tag in LOCALES if tag != language)
    switch: Any = page.locator(f"#languages button[lang={other}]")
    await expect(switch).to_have_attribute("aria-pressed", "false")
    await switch.click()
    await expect(alert).to_contain_text(WORDS[other]["away"])
    await expect(page.get_by_role("heading", name=WORDS[other]["login"])).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == other
    await page.reload()
    await expect(page.get_by_role("heading", name=WORDS[other]["login"])).to_be_visible()
    await expect(switch).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate("document.cookie") == ""
    await page.context.close()
