"""Codes: good once, for a while, for a few tries; and as silent about strangers as about customers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from server.store.contract import Store
from server.tools.mail import Letter, Mailroom
from server.tools.verification import CODE_S, Started, Verification, masked, new_code
from tests.places import until
from tests.server.tools.bench import caller
from tests.server.tools.shopfront import Hands, Letters

ANA, BO = caller(conversation_id="c1"), caller(conversation_id="c2")
CONTACT = "ana@mail.example"


@dataclass
class Scene:
    proofs: Verification
    letters: Letters
    clock: Hands
    codes: list[str] = field(default_factory=list)

    async def posted(self, number: int) -> None:
        await until(lambda: len(self.letters.sent) == number)


@pytest.fixture
async def scene(store: Store) -> AsyncIterator[Scene]:
    letters, clock = Letters(), Hands()
    codes = iter(f"{number:06d}" for number in range(100_001, 100_100))
    room = Mailroom(letters)
    proofs = Verification(
        store,
        "default",
        room,
        lambda: b"key",
        shop_name="Shop",
        verify_s=3_600.0,
        clock=clock,
        code=lambda: next(codes),
    )
    async with room.running():
        yield Scene(proofs, letters, clock)


async def test_a_right_code_proves_the_conversation_for_a_while(scene: Scene) -> None:
    assert await scene.proofs.start(ANA, "C-1", CONTACT) is Started.SENT
    assert await scene.proofs.subject("c1") == ""
    checked = await scene.proofs.check("c1", "100001")
    assert (checked.right, checked.subject) == (True, "C-1")
    assert await scene.proofs.subject("c1") == "C-1"
    assert (await scene.proofs.check("c1", "100001")).right, "the repeat of a step says the same"
    assert await scene.proofs.subject("c2") == ""
    scene.clock.now_s += 3_601
    assert await scene.proofs.subject("c1") == ""
    assert not (await scene.proofs.check("c1", "100001")).right
    await scene.posted(1)
    assert scene.letters.sent == [Letter(CONTACT, "Your code: 100001", scene.letters.sent[0].text)]


async def test_a_code_is_no_good_in_another_conversation(scene: Scene) -> None:
    await scene.proofs.start(ANA, "C-1", CONTACT)
    await scene.proofs.start(BO, "C-2", "bo@mail.example")
    assert not (await scene.proofs.check("c2", "100001")).right
    assert (await scene.proofs.check("c2", "100002")).subject == "C-2"


async def test_five_wrong_tries_end_a_code(scene: Scene) -> None:
    await scene.proofs.start(ANA, "C-1", CONTACT)
    left = [(await scene.proofs.check("c1", "000000")).left for _ in range(6)]
    assert left == [4, 3, 2, 1, 0, 0]
    assert not (await scene.proofs.check("c1", "100001")).right


async def test_a_code_ends_after_ten_minutes(scene: Scene) -> None:
    await scene.proofs.start(ANA, "C-1", CONTACT)
    scene.clock.now_s += CODE_S
    assert not (await scene.proofs.check("c1", "100001")).right


async def test_a_repeated_step_sends_no_second_code(scene: Scene) -> None:
    assert [await scene.proofs.start(ANA, "C-1", CONTACT) for _ in range(3)] == [
        Started.SENT,
        Started.AGAIN,
        Started.AGAIN,
    ]
    await scene.posted(1)
    assert (await scene.proofs.check("c1", "100001")).right


@pytest.mark.parametrize("subject", ["C-1", ""])
async def test_a_conversation_gets_three_codes_an_hour_whether_the_order_exists_or_not(
    scene: Scene, subject: str
) -> None:
    told = []
    for _ in range(4):
        told.append(await scene.proofs.start(ANA, subject, CONTACT if subject else ""))
        scene.clock.now_s += 61
    assert told == [Started.SENT, Started.SENT, Started.SENT, Started.LIMIT]
    scene.clock.now_s += 3_600
    assert await scene.proofs.start(ANA, subject, CONTACT if subject else "") is Started.SENT
    await scene.posted(4 if subject else 0)


async def test_nobody_can_fill_a_customers_mailbox_nor_see_that_they_tried(scene: Scene) -> None:
    told = []
    for who in (ANA, BO):
        for _ in range(3):
            told.append(await scene.proofs.start(who, "C-1", CONTACT))
            scene.clock.now_s += 61
    assert told == [Started.SENT] * 6
    await scene.posted(5)


async def test_no_code_is_right_where_there_is_nobody(scene: Scene, store: Store) -> None:
    await scene.proofs.start(ANA, "", "")
    assert not (await scene.proofs.check("c1", "100001")).right
    assert not (await scene.proofs.check("c2", "100001")).right, "nothing was asked for there"
    row = await store.row("tools.verification", conversation_id="c1")
    assert row is not None
    assert (row["subject"], row["contact"]) == ("", "")


async def test_the_store_holds_neither_code_nor_address(scene: Scene, store: Store) -> None:
    await scene.proofs.start(ANA, "C-1", CONTACT)
    row = await store.row("tools.verification", conversation_id="c1")
    assert row is not None
    assert "100001" not in str(dict(row))
    assert row["contact"] == "a…@mail.example"


def test_small_parts() -> None:
    assert (masked("ana@mail.example"), masked("+353 1 77")) == ("a…@mail.example", "…77")
    assert len({new_code() for _ in range(50)}) > 1
    assert all(len(new_code()) == 6 for _ in range(50))
