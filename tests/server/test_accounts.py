"""The registry: what is on is loaded, opened and watched; what fails takes nobody with it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.base import File, Health
from config.settings import Settings
from server import accounts as module
from server.accounts import Accounts, Cursors, outcome
from server.outbox.access import revoke
from server.store.contract import Store
from tests.places import Place, until
from tests.told_channel import TELEGRAM, ToldPlatform, installed


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    async with Place("", store_url).open(real_clock=True) as opened:
        yield opened


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> ToldPlatform:
    return installed(monkeypatch)


async def stored_file(file_id: str) -> File:
    return File(file_id, "text/plain", b"content")


def registry(store: Store, folder: Path, **channels: Any) -> Accounts:
    tree = {"data_dir": str(folder), "channels": channels or {"telegram": {"default": TELEGRAM}}}
    settings = Settings.model_validate(tree)
    return Accounts(settings, store, stored_file, lambda file_id: f"https://desk.test/{file_id}")


async def test_accounts_that_are_on_are_opened_and_closed(store: Store, tmp_path: Path, platform: ToldPlatform):
    off = {"token": "9:z", "secret_token": "x", "enabled": False}
    accounts = registry(store, tmp_path, telegram={"default": TELEGRAM, "second": TELEGRAM, "third": off})
    assert [one.account for one in accounts.all()] == ["default", "second"]
    assert accounts.get("telegram", "default") is None, "not open yet"
    assert accounts.known("telegram", "third") is None
    assert accounts.known("slack", "default") is None
    async with accounts.running():
        assert accounts.get("telegram", "second") is platform.made["second"]
        assert accounts.get("telegram", "third") is None
        notes = accounts.notes()
        await until(lambda: all(one.health is not None for one in accounts.all()))
        assert [await note() for note in notes.values()] == ["open", "open"]
        assert set(notes) == {"telegram/default", "telegram/second"}
    assert [(made.opened, made.closed) for made in platform.made.values()] == [(1, 1), (1, 1)]
    assert accounts.get("telegram", "default") is None


async def test_no_account_means_no_module(store: Store, tmp_path: Path, platform: ToldPlatform):
    accounts = registry(store, tmp_path, telegram={})
    async with accounts.running():
        assert accounts.all() == ()
    assert platform.made == {}


async def test_a_channel_that_cannot_start_is_noted_and_the_service_runs(
    store: Store, tmp_path: Path, platform: ToldPlatform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "REOPEN_S", 0.02)
    platform.prepare = {"start_error": OSError("no network at 123:abc")}
    accounts = registry(store, tmp_path)
    async with accounts.running():
        assert accounts.get("telegram", "default") is None
        assert accounts.known("telegram", "default") is not None
        note = await accounts.notes()["telegram/default"]()
        assert note.startswith("down: ")
        assert "123:abc" not in note, "an error's text may hold a token"
        platform.made["default"].start_error = None
        await until(lambda: accounts.get("telegram", "default"))
        assert await accounts.notes()["telegram/default"]() in {"open", "starting"}


async def test_a_platform_whose_library_is_missing_is_noted(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "channels.telegram", None)
    accounts = registry(store, tmp_path)
    async with accounts.running():
        assert "install its library" in await accounts.notes()["telegram/default"]()
        assert accounts.get("telegram", "default") is None


async def test_a_refusal_is_noted_and_access_comes_back_when_the_platform_says_so(
    store: Store, tmp_path: Path, platform: ToldPlatform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "RECHECK_S", 0.02)
    platform.prepare = {"health": Health(ok=False, detail="the token is not valid; set a new one")}
    await store.write(lambda tx: revoke(tx, "default", "telegram", "default", "uninstalled"))
    key = {"tenant": "default", "channel": "telegram", "account": "default"}

    async def state() -> str:
        row = await store.row("channels.state", **key)
        assert row is not None
        return str(row["state"])

    accounts = registry(store, tmp_path)
    async with accounts.running():
        note = accounts.notes()["telegram/default"]
        known = accounts.known("telegram", "default")
        assert known is not None
        await until(lambda: known.health is not None)
        assert await note() == "refused: the token is not valid; set a new one"
        assert await state() == "revoked"
        platform.made["default"].health = Health(ok=True, detail="fine")
        await until(lambda: known.health is not None and known.health.ok)
        while await state() != "ok":
            pass
        assert await note() == "open"


async def test_services_keep_texts_and_hand_out_files(store: Store, tmp_path: Path, platform: ToldPlatform):
    async with registry(store, tmp_path).running():
        services = platform.made["default"].services
        assert services is not None
        assert await services.load("offset") == ""
        await services.save("offset", "41")
        await services.save("offset", "42")
        assert await services.load("offset") == "42"
        assert (await services.file("f1")).name == "f1"
        assert services.file_url("f1") == "https://desk.test/f1"
    assert await Cursors(store, "default", "telegram", "second").load("offset") == "", "one account's own"


async def test_foreign_code_is_run_without_being_believed():
    async def fine() -> None:
        return

    async def broken() -> None:
        raise ZeroDivisionError

    assert await outcome(fine()) is None
    assert isinstance(await outcome(broken()), ZeroDivisionError)
