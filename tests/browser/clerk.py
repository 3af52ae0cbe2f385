"""A person at the console: an account of a running service, and a browser that is signed in with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page

from config.settings import Access
from server.auth.passwords import Passwords
from server.routes import Role
from server.store.contract import Tx
from tests.scenario import Service

PASSWORD = "correct horse battery"
PATIENCE_MS = 20_000


@dataclass
class Clerk:
    """One signed-in browser, with what its pages complained about."""

    context: BrowserContext
    base: str
    complaints: list[str] = field(default_factory=list)

    async def page(self, path: str = "/console/inbox") -> Page:
        """A tab of the console that shows its frame."""
        page = await self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(self.base + path)
        await page.locator(".top").wait_for()
        return page


async def hired(service: Service, name: str = "Ana Byrne", role: Role = Role.ADMIN) -> str:
    """Adds a person to the service's store; returns the address to sign in with."""
    email = f"{name.split(maxsplit=1)[0].lower()}@example.com"
    if any(row["email"] == email for row in await service.store.rows("people.all", tenant=service.settings.tenant)):
        return email
    password_hash = await Passwords(Access(argon2_memory_kib=8_192).argon2_memory_kib).hash(PASSWORD)

    async def unit(tx: Tx) -> None:
        await tx.run(
            "people.add", id=f"person-{email}", tenant=service.settings.tenant, email=email, name=name,
            role=role.value, password_hash=password_hash, now=tx.now_s,
        )  # fmt: skip

    await service.store.write(unit)
    return email


async def at_work(browser: Browser, service: Service, email: str, **shape: Any) -> Clerk:
    """A browser profile that is signed in."""
    shape = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", "reduced_motion": "reduce"} | shape
    context = await browser.new_context(**shape)
    answer = await context.request.post(
        f"{service.base}/api/session",
        data={"email": email, "password": PASSWORD},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.ok, await answer.text()
    return Clerk(context, service.base)


def amend(folder: Path, statements: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    """Changes rows of a service's SQLite file directly: furnishes what would take a platform or a day."""
    with closing(sqlite3.connect(folder / "desk.db", timeout=10)) as base, base:
        for text, values in statements:
            base.execute(text, values)


def columns_of(folder: Path, table: str) -> list[str]:
    """Names of a table's columns in a service's SQLite file."""
    with closing(sqlite3.connect(folder / "desk.db", timeout=10)) as base:
        return [row[1] for row in base.execute(f"pragma table_info({table})")]
