"""Conformance cases of WhatsApp (W numbers of the channel contracts): the whole service over HTTP, on both stores.

Cases that all platforms share are in ``test_platforms``; M cases (Meta's own webhooks) are in ``test_whatsapp_meta``.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.auth.tokens import new_key
from server.engine.words import Notice, say
from server.store.statements import load, parse
from tests.doubles.platform import Fault, Hook
from tests.doubles.twilio import Message, Template
from tests.scenarios.platforms import Customer, Rig, rig

DAY_S = 86_400.0
OUTAGE_S = 300.0
ASK = "HX" + "a" * 32
RATE = "HX" + "b" * 32
WHY = "HX99999999999999999999999999999999"
PUBLIC = "https://desk.example.com"
PAYLOADS = sorted((Path(__file__).parent.parent / "channels" / "payloads" / "whatsapp").glob("twilio_*.json"))
PRESSABLE = re.compile(r"\[👍=([^\]]+)\] \[👎=([^\]]+)\]")

QUERIES = """
-- name: ratings
-- Every rating.
select * from feedback order by created_at, id;
-- name: of
-- Conversations of an address.
select id from conversation where address = :address;
-- name: age
-- All was read up to this time.
update channel_cursor set value = :value where name = 'seen';
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("whatsapp", QUERIES, dialect))


async def post(desk: Rig, hook: Hook, url: str = "", **headers: str) -> int:
    """Deliver once, without a platform's patience; returns the status."""
    sent = dict(hook.headers) | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await desk.service.http.request(hook.method, url or hook.url, data=hook.body, headers=sent)
    await answer.read()
    return answer.status


async def staff_view(desk: Rig, customer: Customer) -> dict[str, Any]:
    """What the console shows of a customer's conversation."""
    key, store = new_key(), desk.service.store
    row = {"tenant": desk.settings.tenant, "name": "look", "role": "viewer", "created_by": None, "now": 1.0}
    await store.write(lambda tx: tx.run("access.add_key", id=key.id, key_hash=key.key_hash, **row))
    conversation = await customer.conversation()
    url = f"{desk.service.base}/api/conversations/{conversation['id']}"
    answer = await desk.service.http.get(url, headers={"Authorization": f"Bearer {key.text}"})
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def delivery(desk: Rig, customer: Customer) -> dict[str, Any]:
    """What the console shows of the only answer's way to the customer."""
    view = await staff_view(desk, customer)
    (found,) = [each["delivery"] for each in view["messages"] if each["role"] == "assistant"]
    assert isinstance(found, dict), view
    return found


def status_of(desk: Rig, message: Message, state: str, **more: str) -> Hook:
    """A status callback of a message of ours."""
    fields = {
        "MessageSid": message.sid, "SmsSid": message.sid, "SmsStatus": state, "MessageStatus": state,
        "AccountSid": desk.double.account_sid, "From": message.sender, "To": message.to, **more,
    }  # fmt: skip
    hook: Hook = desk.double.hook(f"{desk.base}/webhooks/whatsapp/status", fields)
    return hook


def signed(desk: Rig, customer: Customer, text: str = "hello", url: str = "") -> Hook:
    """A message's webhook as Twilio signs it."""
    hook: Hook = desk.double.hook(url or desk.url, customer.message(text).fields)
    return hook


async def nothing_stored(desk: Rig) -> None:
    assert not await desk.service.store.rows("rig.conversations")
    assert desk.model.stats.requests == 0


# ---- who may deliver -------------------------------------------------------------------------------------------------


async def test_w02_w03_w04_w05_what_twilio_did_not_sign_is_refused_and_not_stored(
    store_url: str, tmp_path: Path
) -> None:
    async with rig("twilio", store_url, tmp_path) as desk:
        hook = signed(desk, desk.customer())
        bare = {name: value for name, value in hook.headers.items() if name != "X-Twilio-Signature"}
        desk.double.auth_token = "the-token-of-somebody-else"
        for refused in (
            replace(hook, headers={**bare, "X-Twilio-Signature": "Zm9yZ2VkIHNpZ25hdHVyZQ=="}),  # W02
            replace(hook, headers=bare),  # W03
            replace(hook, headers={**bare, "X-Twilio-Signature": ""}),
            replace(hook, body=hook.body.replace(b"Body=hello", b"Body=hullo")),  # W04
            replace(hook, body=hook.body + b"&Forwarded=true"),
            replace(hook, url=f"{hook.url}/default"),
            signed(desk, desk.customer()),  # W05
        ):
            assert await post(desk, refused) == 403
        await nothing_stored(desk)
        assert await post(desk, hook) == 204


PROXIES = {
    "public_url": ({"public_url": PUBLIC}, {}, 204),
    "public_url_beats_headers": ({"public_url": PUBLIC}, {"X_Forwarded_Host": "evil.example"}, 204),
    "trusted_proxy": ({"public_url": "", "trusted_proxies": ["127.0.0.1"]}, {}, 204),
    "unknown_proxy": ({"public_url": "", "trusted_proxies": ["10.0.0.0/8"]}, {}, 403),
}


@pytest.mark.parametrize("case", PROXIES)
async def test_w40_the_signature_covers_the_public_address_behind_a_proxy(
    store_url: str, tmp_path: Path, case: str
) -> None:
    http, headers, status = PROXIES[case]
    async with rig("twilio", store_url, tmp_path, http=http) as desk:
        hook = signed(desk, desk.customer(), url=f"{PUBLIC}/webhooks/whatsapp?site=1")
        forwarded = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "desk.example.com", **headers}
        assert await post(desk, hook, f"{desk.url}?site=1", **forwarded) == status
        assert await post(desk, hook, desk.url, **forwarded) == 403, "the query is signed too"
        if status == 403:
            await nothing_stored(desk)


async def test_w41_every_kind_of_delivery_is_answered_by_2xx(store_url: str, tmp_path: Path) -> None:
    async with rig("twilio", store_url, tmp_path) as desk:
        for number, path in enumerate(PAYLOADS):
            fields = json.loads(path.read_text(encoding="utf-8"))["payload"]
            part = fields.pop("part", "")
            if "MessageSid" in fields and "MessageStatus" not in fields:
                fields["MessageSid"] = fields["SmsSid"] = f"SM{number:032x}"  # each is a message of its own
            url = f"{desk.url}/status?part={part}" if "MessageStatus" in fields else desk.url
            assert await post(desk, desk.double.hook(url, fields)) == 204, path.name
        await desk.quiet()
        (ada,) = await desk.service.store.rows("whatsapp.of", address="+4915112345678")
        await desk.service.check_laws(ada["id"])
        assert desk.model.stats.requests > 0


async def test_w53_a_json_body_must_have_the_signed_hash(store_url: str, tmp_path: Path) -> None:
    async with rig("twilio", store_url, tmp_path) as desk:
        ana = desk.customer()
        body = json.dumps(dict(ana.message("hello").fields)).encode()
        hook = desk.double.json_hook(desk.url, body)
        assert await post(desk, replace(hook, body=body.replace(b"hello", b"hullo"))) == 403
        form = {**hook.headers, "Content-Type": "application/x-www-form-urlencoded"}
        assert await post(desk, replace(hook, body=b"From=x", headers=form)) == 403
        await nothing_stored(desk)
        assert await post(desk, hook) == 204
        assert await desk.answered(ana) == ["answer to: hello"]


async def test_w54_the_settings_header_is_understood_and_an_unknown_algorithm_refused(
    store_url: str, tmp_path: Path
) -> None:
    shared = {"shared_key": "the-shared-key"}
    async with rig("twilio", store_url, tmp_path, double=shared, account=shared) as desk:
        ana = desk.customer()
        hook = signed(desk, ana)
        for algorithm in ("HMAC_MD5", "none", "", "HMAC_SHA1"):
            settings = f"key=WK123,algorithm={algorithm}"
            assert await post(desk, hook, X_Twilio_Webhooks_Signature_Settings=settings) == 403, algorithm
        await nothing_stored(desk)
        assert await post(desk, hook) == 204
        assert await desk.answered(ana) == ["answer to: hello"]


# ---- what becomes of answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["callback", "look_up"])
@pytest.mark.parametrize("template", [True, False], ids=["template", "no_template"])
async def test_w46_a_closed_window_brings_one_template_or_a_task_for_staff(
    store_url: str, tmp_path: Path, told: str, template: bool
) -> None:
    double = {"window": True, "callbacks": "ordered" if told == "callback" else "off"}
    account = {"template_sid": ASK} if template else {}
    async with rig("twilio", store_url, tmp_path, double=double, account=account) as desk:
        desk.double.templates[ASK] = Template("Please write to us again.")
        ana = desk.customer()
        message = ana.message("where is my parcel?")
        desk.double.clock = lambda: time.time() + 1.1 * DAY_S
        if told == "look_up":
            desk.double.faults.script("messages.create", Fault.RESET_AFTER)
        await desk.line.deliver(message)
        if template:
            await desk.answered(ana)
        else:
            await desk.until(lambda: waits_for_staff(desk, ana), why="nobody was asked")
        await desk.laws(ana)
        assert ana.visible() == (["Please write to us again."] if template else [])
        assert desk.double.calls["messages.create"] == 1 + template
        rows = [(row["kind"], row["state"], row["reason"]) for row in await ana.rows("outbox")]
        assert rows[0] == ("message", "failed", "window_closed")
        await ana.says("and now?")  # opens the window again
        assert (await desk.answered(ana, 1 + template))[-1] == "answer to: and now?"


async def waits_for_staff(desk: Rig, customer: Customer, reason: str = "undelivered") -> bool:
    shown = (await staff_view(desk, customer))["conversation"]
    return (shown["status"], shown["reason"]) == ("waiting", reason)


async def test_w47_statuses_in_any_order_never_go_back(store_url: str, tmp_path: Path) -> None:
    async with rig("twilio", store_url, tmp_path) as desk:
        ana, bob = desk.customer("ana"), desk.customer("bob")
        await ana.says("hello")
        await desk.answered(ana)
        await desk.quiet()
        message = desk.double.messages[-1]
        for state, expected in (("delivered", "delivered"), ("read", "read"), ("delivered", "read"), ("sent", "read"),
                                ("undelivered", "read")):  # fmt: skip
            assert await post(desk, status_of(desk, message, state)) == 204
            assert (await delivery(desk, ana))["state"] == expected
        desk.double.callbacks = "wild"
        await bob.says("hello")
        await desk.answered(bob)
        await desk.quiet()
        assert (await delivery(desk, bob))["state"] == "read"
        assert desk.model.stats.requests == 2
        await desk.laws(ana, bob)


@pytest.mark.parametrize("state", ["failed", "undelivered"])
async def test_w48_a_failure_is_shown_to_staff_with_its_code(store_url: str, tmp_path: Path, state: str) -> None:
    async with rig("twilio", store_url, tmp_path) as desk:
        ana = desk.customer()
        await ana.says("hello")
        await desk.answered(ana)
        await desk.quiet()
        for _ in range(2):
            hook = status_of(desk, desk.double.messages[-1], state, ErrorCode="63032")
            assert await post(desk, hook) == 204
        found = await delivery(desk, ana)
        assert (found["state"], found["reason"], found["code"]) == ("failed", "63032", "63032")
        assert found["detail"] == "WhatsApp does not deliver this message to this customer now"
        assert await waits_for_staff(desk, ana)
        assert desk.double.calls["messages.create"] == 1


# ---- what customers do -----------------------------------------------------------------------------------------------


def buttons(desk: Rig, customer: Customer) -> tuple[str, str]:
    """The payloads of thumbs up and down below the last answer."""
    (found,) = PRESSABLE.findall(desk.double.seen(customer.place)[-1])
    up, down = found
    return up, down


async def test_w44_a_button_is_feedback_and_no_question(store_url: str, tmp_path: Path) -> None:
    async with rig("twilio", store_url, tmp_path, account={"feedback_template_sid": RATE}) as desk:
        desk.double.templates[RATE] = Template("Was this helpful?", [("👍", "{{1}}"), ("👎", "{{2}}")])
        ana = desk.customer()
        await ana.says("where is my parcel?")
        assert await desk.answered(ana, 2) == ["answer to: where is my parcel?", "Was this helpful?"]
        up, down = buttons(desk, ana)
        assert max(len(up), len(down)) <= 256
        for payload in (up, up, down):
            assert (await desk.double.press(ana.place, payload)).accepted
        (rating,) = await desk.service.store.rows("whatsapp.ratings")
        assert (rating["value"], rating["giver_kind"], rating["giver_id"]) == ("down", "customer", ana.address)
        await desk.laws(ana)
        assert desk.model.stats.requests == 1
        await desk.double.press(ana.place, f"{up[:-1]}{'a' if up[-1] != 'a' else 'b'}", "forged")
        assert (await desk.answered(ana, 3))[2] == "answer to: forged", "a foreign payload is what its label says"
        (rating,) = await desk.service.store.rows("whatsapp.ratings")
        assert rating["value"] == "down"


async def test_a_thumb_down_asks_once_what_was_wrong(store_url: str, tmp_path: Path) -> None:
    account = {"feedback_template_sid": RATE, "reasons_template_sid": WHY}
    async with rig("twilio", store_url, tmp_path, account=account) as desk:
        desk.double.templates[RATE] = Template("Was this helpful?", [("👍", "{{1}}"), ("👎", "{{2}}")])
        choices = [(label, f"{{{{{number}}}}}") for number, label in enumerate(("Wrong", "Old", "Unclear", "Rude"), 1)]
        desk.double.templates[WHY] = Template("What was wrong?", choices)
        ana = desk.customer()
        await ana.says("where is my parcel?")
        await desk.answered(ana, 2)
        _, down = buttons(desk, ana)
        for _ in range(2):
            await desk.double.press(ana.place, down)
        assert (await desk.answered(ana, 3))[2:] == ["What was wrong?"]
        (old,) = re.findall(r"\[Old=([^\]]+)\]", desk.double.seen(ana.place)[-1])
        await desk.double.press(ana.place, old, "Old")
        (rating,) = await desk.service.store.rows("whatsapp.ratings")
        assert (rating["value"], rating["reason"]) == ("down", "outdated")
        await desk.laws(ana)
        assert desk.model.stats.requests == 1


async def test_w49_stop_means_silence_until_start(store_url: str, tmp_path: Path) -> None:
    async with rig("twilio", store_url, tmp_path) as desk:
        ana, bob = desk.customer("ana"), desk.customer("bob")
        await ana.says("hello")
        await desk.answered(ana)
        for text in ("STOP", "are you there?"):
            assert (await ana.says(text)).accepted
        await bob.says("hi")
        await desk.answered(bob)
        await desk.quiet()
        assert ana.visible() == ["answer to: hello"]
        assert (await staff_view(desk, ana))["conversation"]["opted_out_at"]
        await ana.says("start")
        await ana.says("back again")
        assert (await desk.answered(ana, 2))[1] == "answer to: back again"
        await desk.laws(bob)
        assert ana.visible() == ["answer to: hello", "answer to: back again"]
        said = [row["text"] for row in await ana.rows("messages") if row["role"] == "customer"]
        assert said == ["hello", "STOP", "are you there?", "start", "back again"]


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 2_000


async def files(desk: Rig, customer: Customer) -> list[tuple[str, str | None]]:
    view = await staff_view(desk, customer)
    return [(each["state"], each["reason"]) for message in view["messages"] for each in message["files"]]


async def test_w50_what_is_too_large_or_of_another_kind_gets_a_polite_text(store_url: str, tmp_path: Path) -> None:
    async with rig("twilio", store_url, tmp_path, media={"max_bytes": 1_024}) as desk:
        ana, bob = desk.customer("ana"), desk.customer("bob")
        await ana.says("", files=[("application/x-msdownload", b"MZ" + b"\0" * 50)])
        (notice,) = await desk.answered(ana)
        assert notice.startswith(say(Notice.FILE_TYPE, "en"))
        assert desk.double.calls["media"] == 0, "its kind is known without a download"
        await bob.says("", files=[("image/png", PNG)])
        (notice,) = await desk.answered(bob)
        assert notice.startswith(say(Notice.TOO_LARGE, "en"))
        await desk.laws(ana, bob)
        assert await files(desk, ana) == [("refused", "type")]
        assert await files(desk, bob) == [("refused", "too_large")]
        assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
        assert desk.model.stats.requests == 0
        offered = notice.rpartition("\n")[2]
        await bob.says(offered)  # there are no buttons here: the words do the same
        assert await waits_for_staff(desk, bob, "customer_asked")


@asynccontextmanager
async def foreign_host() -> AsyncIterator[tuple[str, list[Mapping[str, str]]]]:
    """A web server that is not Twilio's, and the headers of whoever asked it."""
    asked: list[Mapping[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.headers)
        return web.Response(body=PNG, content_type="image/png")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_w51_files_on_other_hosts_are_not_fetched_with_our_credentials(store_url: str, tmp_path: Path) -> None:
    async with foreign_host() as (host, asked), rig("twilio", store_url, tmp_path) as desk:
        ana, bob = desk.customer("ana"), desk.customer("bob")
        await ana.says("", files=[("image/png", PNG)], MediaUrl0=f"{host}/2010-04-01/Accounts/AC1/Media/ME1")
        (notice,) = await desk.answered(ana)
        assert notice.startswith("Sorry")
        assert asked == []
        await bob.says("", files=[("image/png", PNG)])
        await desk.answered(bob)
        assert await files(desk, ana) == [("refused", "host")]
        assert await files(desk, bob) == [("stored", None)], "on Twilio's host it is fetched, and redirected"
        assert desk.double.leaked == [], "the file host has no need of our credentials"
        await desk.laws(ana, bob)


async def test_w52_what_came_during_an_outage_is_read_back_and_answered_once(store_url: str, tmp_path: Path) -> None:
    async with rig("twilio", store_url, tmp_path, account={"feedback_template_sid": RATE}) as desk:
        desk.double.templates[RATE] = Template("Helpful?", [("👍", "{{1}}"), ("👎", "{{2}}")])
        ana, bob, eve = (desk.customer(name) for name in ("ana", "bob", "eve"))
        await ana.says("question one")
        await desk.answered(ana, 2)
        await desk.double.press(ana.place, buttons(desk, ana)[1])
        answer = next(message for message in desk.double.messages if message.shown == "answer to: question one")
        await ana.says("👎", MessageType="reaction", OriginalRepliedMessageSid=answer.sid)
        await eve.says("STOP")
        await desk.quiet()
        aged = repr(time.time() - OUTAGE_S)
        await desk.service.store.write(lambda tx: tx.run("whatsapp.age", value=aged), order="~")
        await desk.down()
        desk.double.clock = lambda: time.time() - OUTAGE_S / 2
        missed = [(ana, "question two"), (bob, "question three"), (bob, "question four"), (eve, "question five")]
        lost = [customer.message(text) for customer, text in missed]
        for message in lost:
            assert not (await desk.line.deliver(message)).accepted
        desk.double.clock = time.time
        await desk.up()
        await desk.answered(ana, 4)
        await desk.until(lambda: "question four" in "".join(bob.visible()), why="bob's last question was lost")
        for message in lost:
            assert (await desk.line.deliver(message)).accepted  # a platform that tries again after all
        await desk.laws(ana, twice=1)
        await desk.laws(bob, twice=1)
        seen = "\n".join([*ana.visible(), *bob.visible()])
        assert [seen.count(f"question {number}") for number in ("one", "two", "three", "four")] == [1] * 4
        assert "👍" not in seen
        assert "👎" not in seen
        assert eve.visible() == []
        (rating,) = await desk.service.store.rows("whatsapp.ratings")
        assert rating["value"] == "down"
