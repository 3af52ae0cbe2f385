"""One-time links and changes to people, on both stores; races are real."""

import asyncio

import pytest

from config.settings import Access, Http, StoreSettings
from server.auth.sessions import Device, Sessions
from server.people import Newcomer, People
from server.problems import Problem
from server.routes import Role
from server.store.open import open_store
from tests.server.desk import CLI, PASSWORD, TENANT, Desk

HOME = Device("192.0.2.1", "Chrome")


def token_of(url: str) -> str:
    return url.partition("#")[2]


async def refused(desk: Desk, newcomer: Newcomer) -> int:
    with pytest.raises(Problem) as problem:
        await desk.people.redeem(newcomer, HOME)
    return problem.value.status


async def test_the_first_admin_comes_in_by_the_setup_link(both_desk: Desk):
    token = token_of((await both_desk.links.setup(CLI)).url)
    assert (await both_desk.people.look(token))["purpose"] == "setup"
    principal, _ = await both_desk.people.redeem(Newcomer(token, "Ana", "ana@example.com", PASSWORD), HOME)
    assert (principal.role, principal.email) == (Role.ADMIN, "ana@example.com")
    assert await refused(both_desk, Newcomer(token, "Eve", "eve@example.com", PASSWORD)) == 410
    assert [row["action"] for row in await both_desk.audit_rows()] == ["link.setup.used", "link.setup"]
    assert (await both_desk.browser().sign_in("ana@example.com")).status == 200


async def test_one_link_used_by_many_at_once_makes_one_person(both_desk: Desk):
    token = token_of((await both_desk.links.setup(CLI)).url)
    results = await asyncio.gather(
        *(both_desk.people.redeem(Newcomer(token, f"N{n}", f"n{n}@example.com", PASSWORD), HOME) for n in range(5)),
        return_exceptions=True,
    )
    assert [getattr(result, "status", 201) for result in results if isinstance(result, BaseException)] == [410] * 4
    assert len(await both_desk.people.all()) == 1


async def test_two_processes_cannot_use_one_link_nor_make_two_first_admins(both_desk: Desk, store_url: str):
    other_store = open_store(store_url, StoreSettings())
    sessions = Sessions(other_store, TENANT, Access(), Http(), both_desk.clock)
    other = People(other_store, TENANT, both_desk.passwords, sessions, both_desk.clock)
    first, second = [token_of((await both_desk.links.setup(CLI)).url) for _ in range(2)]
    async with other_store.running():
        tries = [
            people.redeem(Newcomer(token, "N", f"{token[:9].lower()}{number}@example.com", PASSWORD), HOME)
            for number, people in enumerate((both_desk.people, other))
            for token in (first, second)
        ]
        results = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(getattr(result, "status", 201) for result in results) == [201, 410, 410, 410]
    assert len(await both_desk.people.all()) == 1


async def test_two_setup_links_make_one_admin(both_desk: Desk):
    tokens = [token_of((await both_desk.links.setup(CLI)).url) for _ in range(2)]
    results = await asyncio.gather(
        *(
            both_desk.people.redeem(Newcomer(token, "A", f"{number}@example.com", PASSWORD), HOME)
            for number, token in enumerate(tokens)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Problem) and result.status == 410 for result in results) == 1
    assert len(await both_desk.people.all()) == 1


async def test_two_links_for_one_address_make_one_person(both_desk: Desk):
    await both_desk.person(Role.ADMIN)
    old, new = [token_of((await both_desk.links.invite(CLI, "ben@example.com", Role.STAFF)).url) for _ in range(2)]
    assert await refused(both_desk, Newcomer(old, "Ben", "", PASSWORD)) == 410
    principal, _ = await both_desk.people.redeem(Newcomer(new, "Ben", "", PASSWORD), HOME)
    assert (principal.email, principal.role) == ("ben@example.com", Role.STAFF)


async def test_a_link_ends_with_its_time(both_desk: Desk):
    link = await both_desk.links.setup(CLI)
    both_desk.clock.now_s = link.expires_at + 1
    with pytest.raises(Problem) as gone:
        await both_desk.people.look(token_of(link.url))
    assert gone.value.status == 410
    assert await refused(both_desk, Newcomer(token_of(link.url), "A", "a@example.com", PASSWORD)) == 410


async def test_what_was_typed_is_checked_before_the_link_is_used_up(desk: Desk):
    await desk.person(Role.ADMIN)
    token = token_of((await desk.links.invite(CLI, "ben@example.com", Role.VIEWER)).url)
    for name, email, password, status in (
        ("Ben", "", "short", 422),
        ("Ben", "", "ben@example.com", 422),
        ("", "", PASSWORD, 422),
        ("Ben", "other@example.com", PASSWORD, 422),
    ):
        assert await refused(desk, Newcomer(token, name, email, password)) == status
    assert (await desk.people.redeem(Newcomer(token, "Ben", "ben@example.com", PASSWORD), HOME))[0].name == "Ben"


async def test_a_setup_link_needs_an_address_and_a_free_one(desk: Desk):
    token = token_of((await desk.links.setup(CLI)).url)
    await desk.person(Role.STAFF, "staff@example.com")
    assert await refused(desk, Newcomer(token, "Ana", "", PASSWORD)) == 422
    assert await refused(desk, Newcomer(token, "Ana", "staff@example.com", PASSWORD)) == 409


async def test_a_reset_changes_the_password_and_signs_out_everywhere(both_desk: Desk):
    browser = await both_desk.signed_in(Role.STAFF)
    link = await both_desk.links.reset(CLI, "staff@example.com")
    look = await both_desk.people.look(token_of(link.url))
    assert (look["name"], look["email"]) == ("Staff", "staff@example.com")
    await both_desk.people.redeem(Newcomer(token_of(link.url), "", "", "another long password"), HOME)
    assert (await browser.call("GET", "/api/session")).status == 401
    assert (await both_desk.browser().sign_in("staff@example.com")).status == 401
    assert (await both_desk.browser().sign_in("staff@example.com", "another long password")).status == 200


async def test_a_reset_link_of_somebody_disabled_meanwhile_is_void(both_desk: Desk):
    await both_desk.person(Role.ADMIN)
    email = await both_desk.person(Role.STAFF)
    link = await both_desk.links.reset(CLI, email)
    await both_desk.people.change(CLI, f"person-{email}", role=None, disabled=True, ip="")
    assert await refused(both_desk, Newcomer(token_of(link.url), "", "", PASSWORD)) == 410


async def test_admins_who_remove_each_other_at_once_leave_one(both_desk: Desk):
    first, second = [f"person-{await both_desk.person(Role.ADMIN, f'{n}@example.com')}" for n in range(2)]
    results = await asyncio.gather(
        both_desk.people.change(CLI, first, role=Role.VIEWER, disabled=None, ip=""),
        both_desk.people.change(CLI, second, role=None, disabled=True, ip=""),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Problem) and result.status == 409 for result in results) == 1
    row = await both_desk.store.row("people.active_admins", tenant=TENANT)
    assert row is not None
    assert row["number"] == 1
    assert len(await both_desk.audit_rows("person.change")) == 1


async def test_disabling_ends_sessions_and_enabling_keeps_the_role(both_desk: Desk):
    await both_desk.person(Role.ADMIN)
    browser = await both_desk.signed_in(Role.STAFF)
    person_id = "person-staff@example.com"
    await both_desk.people.change(CLI, person_id, role=None, disabled=True, ip="")
    assert (await browser.call("GET", "/api/session")).status == 401
    row = await both_desk.people.change(CLI, person_id, role=None, disabled=False, ip="")
    assert (row["role"], row["disabled_at"]) == ("staff", None)
    assert (await both_desk.browser().sign_in("staff@example.com")).status == 200


async def test_a_demotion_counts_from_the_next_request(desk: Desk):
    await desk.person(Role.ADMIN)
    browser = await desk.signed_in(Role.STAFF)
    await desk.people.change(CLI, "person-staff@example.com", role=Role.VIEWER, disabled=None, ip="")
    assert (await browser.call("PUT", "/api/switch", {"silent": True})).status == 403


async def test_unknown_people_are_404(desk: Desk):
    for step in (desk.people.one("x"), desk.people.change(CLI, "x", role=None, disabled=True, ip="")):
        with pytest.raises(Problem) as missing:
            await step
        assert missing.value.status == 404
