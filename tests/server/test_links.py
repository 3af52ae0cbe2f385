import pytest

from config.settings import Access
from server.auth.tokens import fingerprint
from server.links import LinkRefused, create_setup_link
from server.routes import Role
from tests.server.desk import CLI, TENANT, Desk


async def make(desk: Desk, reset_email: str = "") -> str:
    link = await create_setup_link(
        desk.store, TENANT, Access(), "https://desk.example.com/", actor="root", reset_email=reset_email
    )
    return link.url


async def test_the_token_stands_in_the_fragment_and_only_its_hash_in_the_store(both_desk: Desk):
    url = await make(both_desk)
    address, _, token = url.partition("#")
    assert address == "https://desk.example.com/console/setup"
    row = await both_desk.store.row(
        "people.open_link", token_hash=fingerprint(token), tenant=TENANT, now=both_desk.clock()
    )
    assert row is not None
    other = await both_desk.store.row(
        "people.open_link", token_hash=fingerprint(token), tenant="other", now=both_desk.clock()
    )
    assert other is None
    assert token not in str(await both_desk.audit_rows())


async def test_no_setup_link_once_there_is_an_admin_but_a_reset(both_desk: Desk):
    email = await both_desk.person(Role.ADMIN)
    with pytest.raises(LinkRefused, match="reset"):
        await make(both_desk)
    assert "#" in await make(both_desk, reset_email=f" {email.upper()} ")
    assert [row["actor_kind"] for row in await both_desk.audit_rows("person.reset")] == ["cli"]


async def test_staff_alone_do_not_stand_in_the_way_of_the_first_admin(desk: Desk):
    await desk.person(Role.STAFF)
    assert await make(desk)


async def test_links_for_unknown_or_known_addresses_are_refused(desk: Desk):
    with pytest.raises(LinkRefused):
        await make(desk, reset_email="nobody@example.com")
    await desk.person(Role.STAFF)
    with pytest.raises(LinkRefused):
        await desk.links.invite(CLI, "staff@example.com", Role.STAFF)


async def test_a_new_reset_link_ends_the_older_one(desk: Desk):
    await desk.person(Role.STAFF)
    urls = [(await desk.links.reset(CLI, "staff@example.com")).url for _ in range(2)]
    found = [
        await desk.store.row(
            "people.open_link", token_hash=fingerprint(url.partition("#")[2]), tenant=TENANT, now=desk.clock()
        )
        for url in urls
    ]
    assert [row is None for row in found] == [True, False]
