"""Conformance cases of WhatsApp straight through Meta (M numbers): the whole service over HTTP, on both stores.

Also the cases that Twilio and Meta share by another way: the closed window, failures, and buttons.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.store.contract import Row
from tests.doubles.platform import Hook
from tests.scenarios.platforms import Customer, Rig, rig
from tests.scenarios.test_whatsapp import DAY_S, delivery, nothing_stored, post, waits_for_staff

PAYLOADS = sorted((Path(__file__).parent.parent / "channels" / "payloads" / "whatsapp").glob("meta_*.json"))
PRESSABLE = re.compile(r"\[👍=([^\]]+)\] \[👎=([^\]]+)\]")


async def signed(desk: Rig, *messages: Any, **value: Any) -> int:
    """Deliver a batch once; returns the status."""
    return await post(desk, desk.double.hook(desk.double.batch(*messages, **value)))


def written(desk: Rig, customer: Customer, text: str = "hello") -> dict[str, Any]:
    """A message as it stands in a batch."""
    found: dict[str, Any] = desk.double.message(customer.place, text=text)
    return found


async def said(customer: Customer) -> list[str]:
    """What is stored of a customer's words."""
    return [row["text"] for row in await customer.rows("messages") if row["role"] == "customer"]


async def conversations(desk: Rig) -> list[Row]:
    return list(await desk.service.store.rows("rig.conversations"))


async def test_m01_the_handshake_needs_the_right_token(store_url: str, tmp_path: Path) -> None:
    async with rig("meta", store_url, tmp_path) as desk:
        http, double = desk.service.http, desk.double
        async with http.get(double.handshake(challenge="1158201444").url) as answer:
            assert (answer.status, await answer.text()) == (200, "1158201444")
        for token in ("wrong", "", "wört"):
            async with http.get(double.handshake(token).url) as answer:
                assert answer.status == 403
                assert "1158201444" not in await answer.text()
        async with http.get(desk.url) as answer:
            assert answer.status == 403


async def test_m02_a_batch_of_two_customers_is_two_conversations(store_url: str, tmp_path: Path) -> None:
    async with rig("meta", store_url, tmp_path) as desk:
        ana, bob = desk.customer("ana"), desk.customer("bob")
        assert await signed(desk, written(desk, ana, "one"), written(desk, bob, "two")) == 200
        assert await desk.answered(ana) == ["answer to: one"]
        assert await desk.answered(bob) == ["answer to: two"]
        assert len(await conversations(desk)) == 2
        await desk.laws(ana, bob)


async def test_m03_the_signature_covers_the_raw_bytes(store_url: str, tmp_path: Path) -> None:
    async with rig("meta", store_url, tmp_path) as desk:
        ana, text = desk.customer(), "Wo ist mein Päckchen? 😀 a/b"
        hook: Hook = desk.double.hook(desk.double.batch(written(desk, ana, text)))
        assert b"\\ud83d\\ude00" in hook.body
        assert b"a\\/b" in hook.body
        same = json.dumps(json.loads(hook.body), ensure_ascii=False).encode()
        bare = {name: value for name, value in hook.headers.items() if name != "X-Hub-Signature-256"}
        for refused in (replace(hook, body=same), replace(hook, body=hook.body + b" "), replace(hook, headers=bare)):
            assert await post(desk, refused) == 403
        await nothing_stored(desk)
        assert await post(desk, hook) == 200
        assert await desk.answered(ana) == [f"answer to: {text}"]


async def test_m04_of_a_batch_known_in_part_only_the_new_is_stored(store_url: str, tmp_path: Path) -> None:
    async with rig("meta", store_url, tmp_path) as desk:
        ana, bob = desk.customer("ana"), desk.customer("bob")
        one, two, three = written(desk, ana, "one"), written(desk, ana, "two"), written(desk, bob, "three")
        assert await signed(desk, one) == 200
        assert await desk.answered(ana) == ["answer to: one"]
        for _ in range(2):
            assert await signed(desk, one, two, three, one) == 200
        assert await desk.answered(ana, 2) == ["answer to: one", "answer to: two"]
        assert await desk.answered(bob) == ["answer to: three"]
        await desk.laws(ana, bob)
        assert (await said(ana), await said(bob)) == (["one", "two"], ["three"])
        assert desk.model.stats.requests == 3


async def test_m05_statuses_move_the_delivery_and_never_reach_the_model(store_url: str, tmp_path: Path) -> None:
    async with rig("meta", store_url, tmp_path, double={"statuses": "wild"}) as desk:
        ana = desk.customer()
        await ana.says("hello")
        await desk.answered(ana)
        await desk.laws(ana)
        message = desk.double.messages[-1]
        for state in ("read", "delivered", "sent", "failed"):  # W47: never back
            assert await signed(desk, statuses=[desk.double.status(message, state)]) == 200
            assert (await delivery(desk, ana))["state"] == "read"
        strange = {**desk.double.status(message, "read"), "id": "wamid.unknown", "biz_opaque_callback_data": "nobody's"}
        assert await signed(desk, statuses=[strange]) == 200
        await desk.quiet()
        assert await said(ana) == ["hello"]
        assert ana.visible() == ["answer to: hello"]
        assert desk.model.stats.requests == 1
        assert len(await conversations(desk)) == 1


async def test_m06_w41_whatever_meta_signs_is_answered_by_200(store_url: str, tmp_path: Path) -> None:
    async with rig("meta", store_url, tmp_path) as desk:
        for number, path in enumerate(PAYLOADS):
            text = path.read_text(encoding="utf-8").replace("wamid.HBgLNDkxNTExMjM0NTY3OBUCABIYFjNFQjA", f"w{number}")
            assert await post(desk, desk.double.hook(json.loads(text)["payload"])) == 200, path.name
        for body in (b"[]", b"null", b'{"object": 1, "entry": [{"changes": "?"}]}', b"{}"):
            assert await post(desk, desk.double.hook(body)) == 200, body
        assert await signed(desk, field="field_of_the_future", something={"new": [1]}) == 200
        await desk.quiet()
        stored = await conversations(desk)
        assert "+4915112345678" in {row["address"] for row in stored}
        for row in stored:
            if await desk.service.turns(row["id"]):
                await desk.service.check_laws(row["id"])


@pytest.mark.parametrize("window", ["answer", "status"])
@pytest.mark.parametrize("template", ["come_back", ""], ids=["template", "no_template"])
async def test_w46_m_a_closed_window_at_meta(store_url: str, tmp_path: Path, window: str, template: str) -> None:
    double = {"window": window, "statuses": "ordered"}
    async with rig("meta", store_url, tmp_path, double=double, account={"template_name": template}) as desk:
        ana = desk.customer()
        batch = ana.message("where is my parcel?")
        desk.double.clock = lambda: time.time() + 1.1 * DAY_S
        await desk.line.deliver(batch)
        if template:
            await desk.answered(ana)
        else:
            await desk.until(lambda: waits_for_staff(desk, ana), why="nobody was asked")
        await desk.laws(ana)
        assert ana.visible() == (["template come_back/en"] if template else [])
        assert desk.double.calls["messages"] == 1 + bool(template)


async def test_w48_m_a_failure_at_meta_is_shown_to_staff_with_its_code(store_url: str, tmp_path: Path) -> None:
    async with rig("meta", store_url, tmp_path) as desk:
        ana = desk.customer()
        await ana.says("hello")
        await desk.answered(ana)
        await desk.quiet()
        message = desk.double.messages[-1]
        message.error_code = 131026
        for _ in range(2):
            assert await signed(desk, statuses=[desk.double.status(message, "failed")]) == 200
        found = await delivery(desk, ana)
        assert (found["state"], found["code"]) == ("failed", "131026")
        assert found["detail"] == "the customer cannot be reached on WhatsApp"
        assert await waits_for_staff(desk, ana)
        assert desk.double.calls["messages"] == 1


async def test_w44_m_a_reply_button_is_feedback_and_no_question(store_url: str, tmp_path: Path) -> None:
    async with rig("meta", store_url, tmp_path) as desk:
        ana = desk.customer()
        await ana.says("hello")
        assert await desk.answered(ana) == ["answer to: hello"]
        ((up, down),) = PRESSABLE.findall(desk.double.seen(ana.place)[-1])
        for payload, title in ((up, "👍"), (up, "👍"), (down, "👎")):
            reply = {"type": "button_reply", "button_reply": {"id": payload, "title": title}}
            assert await signed(desk, desk.double.message(ana.place, "interactive", interactive=reply)) == 200
        (rating,) = await desk.service.store.rows("whatsapp.ratings")
        assert (rating["value"], rating["giver_id"]) == ("down", ana.address)
        answered = desk.double.messages[-1].wamid
        await desk.answered(ana, 2)
        assert desk.double.seen(ana.place)[-1].startswith("What was wrong with this answer?")
        (rude,) = re.findall(r"\[Rude=([^\]]+)\]", desk.double.seen(ana.place)[-1])
        reply = {"type": "list_reply", "list_reply": {"id": rude, "title": "Rude"}}
        assert await signed(desk, desk.double.message(ana.place, "interactive", interactive=reply)) == 200
        (rating,) = await desk.service.store.rows("whatsapp.ratings")
        assert (rating["value"], rating["reason"]) == ("down", "rude")
        reaction = {"message_id": answered, "emoji": "👍🏽"}
        assert await signed(desk, desk.double.message(ana.place, "reaction", reaction=reaction)) == 200
        (rating,) = await desk.service.store.rows("whatsapp.ratings")
        assert rating["value"] == "up"
        await desk.laws(ana)
        assert ana.visible() == ["answer to: hello", "What was wrong with this answer?"]
        assert desk.model.stats.requests == 1
