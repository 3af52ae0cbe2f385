"""Orders are shown to their own customer only, and a stranger learns nothing from asking."""

from __future__ import annotations

import json

import pytest

from server.tools.builtin.orders import UNKNOWN
from tests.places import until
from tests.server.tools.shopfront import CUSTOMERS, Front


async def test_a_customer_sees_their_own_order(front: Front) -> None:
    talk = front.talk(customer="C-001")
    result = await talk.run("order_status", {"order_number": "mp 20349"})
    assert (result.ok, result.data["outcome"], result.data["number"]) == (True, "out for delivery", "MP-20349")
    assert "CC164180872IE" in result.say


@pytest.mark.parametrize("arguments", [
    {"order_number": "MP-20366"},
    {"order_number": "MP-20366", "email": "t.brandt@post.example"},
    {"order_number": "MP-20366' or '1'='1"},
    {"order_number": "C-002"},
    {"order_number": "MP-29999"},
])  # fmt: skip
async def test_nobody_sees_the_order_of_another(front: Front, arguments: dict[str, str]) -> None:
    result = await front.talk(customer="C-001").run("order_status", arguments)
    assert (result.ok, result.data) == (False, {"outcome": UNKNOWN, "ask": "order_number"})
    assert result.say == "I cannot find that order number among your orders. Please check it: it looks like MP-12345."


async def test_a_double_that_asks_for_every_order_gets_only_the_customers_own(front: Front) -> None:
    talk = front.talk(customer="C-005")
    numbers = [row["number"] for row in await front.shop.rows("select number from orders")]
    own = {row["number"] for row in await front.shop.rows("select number from orders where customer_id = ?", "C-005")}
    shown = set()
    for number in numbers:
        result = await talk.run("order_status", {"order_number": number, "email": "harriet.cole@letters.example"})
        if result.ok:
            shown.add(result.data["number"])
        else:
            assert number not in json.dumps(result.data) + result.say
    assert shown == own


async def test_a_stranger_gets_a_code_and_then_the_order_that_was_asked_about(front: Front) -> None:
    talk = front.talk()
    await talk.say("Where is MP-20349?")
    assert talk.outcome == "verify"
    assert talk.dialogue.asked == "code"
    assert "MP-20349" not in talk.said[-1]
    await until(lambda: front.letters.sent)
    assert front.letters.sent[0].to == CUSTOMERS["C-001"][1]
    await talk.say(f"it says {front.letters.code()[:3]} {front.letters.code()[3:]}")
    assert talk.outcome == "out for delivery"
    assert talk.said[-1].startswith("Thank you, that is you. Order MP-20349")
    assert await front.kit.verification.subject("c1") == "C-001"
    assert (await front.kit.callers("c1")).contact == CUSTOMERS["C-001"][1]


async def test_a_wrong_code_leaves_the_next_one_to_be_read(front: Front) -> None:
    talk = front.talk()
    await talk.say("Where is MP-20349?")
    await until(lambda: front.letters.sent)
    code = front.letters.code()
    for guess in (f"{(int(code) + number) % 1_000_000:06d}" for number in (1, 2)):
        await talk.say(guess)
        assert talk.outcome == "wrong code"
    assert "3 tries" in talk.said[-1]
    await talk.say(f"sorry, {code}")
    assert talk.outcome == "out for delivery"


async def test_the_proof_of_one_customer_shows_no_order_of_another(front: Front) -> None:
    talk = front.talk()
    await talk.say("Where is MP-20349?")
    await until(lambda: front.letters.sent)
    result = await talk.run("confirm_identity", {"code": front.letters.code(), "order_number": "MP-20366"})
    assert result.data["outcome"] == UNKNOWN


@pytest.mark.parametrize("question", ["Where is MP-29999?", "Where is MP-20349? I am other@mail.example"])
async def test_an_order_that_is_not_there_looks_like_one_that_is(front: Front, question: str) -> None:
    there, nowhere = front.talk("c1"), front.talk("c2")
    await there.say("Where is MP-20349?")
    await nowhere.say(question)
    assert there.results[-1] == nowhere.results[-1]
    assert there.said == nowhere.said
    await until(lambda: front.letters.sent)
    for guess in ("000000", "111111", "222222"):
        left, right = (
            await there.run("confirm_identity", {"code": guess}),
            await nowhere.run("confirm_identity", {"code": guess}),
        )
        assert left == right
    assert len(front.letters.sent) == 1


async def test_status_in_the_customers_language(front: Front) -> None:
    told = await front.talk(customer="C-002", language="de").run("order_status", {"order_number": "20310"})
    assert told.say == "Die Bestellung MP-20310 wurde am Montag, 26. Oktober zugestellt."
    told = await front.talk(customer="C-003", language="es").run("order_status", {"order_number": "20338"})
    assert told.say.startswith("El pedido MP-20338 está en camino. Llegada prevista: miércoles 4 de noviembre.")
