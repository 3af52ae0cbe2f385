"""Sealed secrets of authenticator apps: what the database holds, and what happens when the key is away."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.settings import Access
from server.auth import totp
from server.auth.seal import FILE, MARK, Seal
from server.problems import Problem
from server.routes import Role
from server.store.contract import Store, Tx
from tests.places import Place
from tests.server.auth.test_second import call, code, enrolled, first_step
from tests.server.desk import TENANT, Desk, open_desk

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def place(store_url: str) -> Place:
    return Place(store_url.partition(":")[0], store_url)


def sealer(store: Store, folder: Path, key: str = "") -> Seal:
    return Seal(store, TENANT, Access.model_validate({"seal_key": key}), folder)


async def person(store: Store, name: str, secret: str) -> None:
    """Somebody with an app whose secret is stored as given."""

    async def unit(tx: Tx) -> None:
        await tx.run(
            "people.add", id=name, tenant=TENANT, email=f"{name}@example.com", name=name, role="staff",
            password_hash="-", now=tx.now_s,
        )  # fmt: skip
        await tx.run("second.begin", tenant=TENANT, person_id=name, secret=secret, now=tx.now_s)

    await store.write(unit)


async def stored(store: Store, name: str) -> str:
    row = await store.row("second.factor", tenant=TENANT, person_id=name)
    assert row is not None
    return str(row["secret"])


async def test_secrets_of_an_older_version_are_sealed_at_the_start_and_leave_no_trace(place: Place, tmp_path: Path):
    secrets = {name: totp.new_secret() for name in ("ana", "ben")}
    async with place.open() as store:
        for name, secret in secrets.items():
            await person(store, name, secret)
        seal = sealer(store, tmp_path)
        await seal.start()
        for name, secret in secrets.items():
            assert (await stored(store, name)).startswith(MARK)
            assert seal.opened(await stored(store, name), name) == secret
        assert seal.opened(await stored(store, "ana"), "ben") is None, "a row copied to somebody else opens nothing"
        again = sealer(store, tmp_path)
        before = await stored(store, "ana")
        await again.start()
        assert await stored(store, "ana") == before
        assert again.opened(before, "ana") == secrets["ana"]
    if place.dialect == "sqlite":  # closed: the log was written back into the file
        files = [path for path in tmp_path.iterdir() if path.is_file() and path.name.startswith("desk.db")]
        raw = b"".join(path.read_bytes() for path in files)
        key = (tmp_path / FILE).read_text().strip()
        assert raw
        assert [word for word in (*secrets.values(), key) if word.encode() in raw] == []
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


async def test_a_desk_without_apps_makes_no_key(place: Place, tmp_path: Path):
    async with place.open() as store:
        await sealer(store, tmp_path).start()
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("spoil", ["remove", "damage", "other file", "other setting"])
async def test_a_missing_or_wrong_key_is_said_and_nothing_is_sealed_beside_it(
    place: Place, tmp_path: Path, spoil: str
) -> None:
    async with place.open() as store:
        await person(store, "ana", totp.new_secret())
        first = sealer(store, tmp_path)
        await first.start()
        kept, held = (tmp_path / FILE).read_text(), await stored(store, "ana")
        spoiled = {"remove": "", "damage": "half a k", "other file": "ab" * 32, "other setting": kept}[spoil]
        (tmp_path / FILE).write_text(spoiled) if spoiled else (tmp_path / FILE).unlink()
        seal = sealer(store, tmp_path, KEY if spoil == "other setting" else "")
        with structlog.testing.capture_logs() as logs:
            await seal.start()
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [
            ("seal_key_differs" if spoil.startswith("other") else "seal_key_missing", "error")
        ]
        assert "reset-app" in logs[0]["next"]
        assert seal.opened(held, "ana") is None
        with pytest.raises(Problem) as refused:
            seal.sealed("x", "ana")
        assert (refused.value.status, refused.value.more["code"]) == (503, "seal_key")
        if spoil != "other setting":
            (tmp_path / FILE).write_text(kept)
            assert await seal.ready(), "a key that is put back is found without a restart"
            assert seal.opened(held, "ana") is not None


async def test_a_new_key_is_taken_once_nothing_is_sealed_with_the_old_one(place: Place, tmp_path: Path):
    async with place.open() as store:
        await person(store, "ana", totp.new_secret())
        await sealer(store, tmp_path).start()
        other = sealer(store, tmp_path, KEY)
        assert not await other.ready()
        await store.write(lambda tx: tx.run("second.drop", tenant=TENANT, person_id="ana"))
        assert await other.ready()
        assert other.opened(other.sealed("x", "ana"), "ana") == "x"
        old = sealer(store, tmp_path)
        assert await old.ready(), "nothing is sealed yet, so the last one to start decides"
        with pytest.raises(Problem):
            await store.write(other.check)


async def test_two_gateways_make_one_key_or_say_that_they_have_two(place: Place, tmp_path: Path):
    async with place.open() as store:
        here, beside = sealer(store, tmp_path), sealer(store, tmp_path)
        assert await here.ready()
        assert await beside.ready()
        sealed = here.sealed("x", "ana")
        assert beside.opened(sealed, "ana") == "x"
        assert here.opened(sealed[:-8] + "AAAAAAA=", "ana") is None
        assert here.opened("sealed:1:nonsense", "ana") is None
        await person(store, "ana", sealed)
        apart = sealer(store, tmp_path / "elsewhere")
        assert not await apart.ready()
        assert not (tmp_path / "elsewhere" / FILE).exists()


async def without_key(desk: Desk, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    answer = await desk.browser().call("POST", path, body)
    return answer.status, await answer.json()


async def test_without_the_key_a_recovery_code_works_and_a_code_is_not_called_wrong(store_url: str):
    async with open_desk(store_url) as desk:
        secret, codes = await enrolled(desk, await desk.signed_in(Role.STAFF))
        held = await desk.store.row("second.factor", tenant=TENANT, person_id="person-staff@example.com")
        assert held is not None
        assert secret not in str(held)
        at = desk.clock.now_s
    async with open_desk(store_url) as desk:  # another folder: the key is not there
        desk.clock.now_s = at + totp.STEP_S
        browser = desk.browser()
        ticket = await first_step(browser)
        status, told = await without_key(desk, "/api/session/code", {"ticket": ticket, "code": code(desk, secret)})
        assert (status, told["code"]) == (503, "seal_key")
        assert "reset-app" in told["detail"]
        me = await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": codes[0]})
        browser.csrf = me["csrf"]
        await call(browser, "POST", "/api/profile/second-factor/off", {"code": codes[1]}, 204)
        secret, _ = await enrolled(desk, browser)  # nothing is sealed with the old key any more: a new one is made
        ticket = await first_step(browser)
        await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": code(desk, secret)})
