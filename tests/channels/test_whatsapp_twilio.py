"""WhatsApp through Twilio against a double of it, with the real SDK."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from aiohttp import web
from multidict import MultiDict

from channels.base import (
    ChannelError,
    Delivery,
    Failed,
    Limited,
    Outgoing,
    Refused,
    Rejected,
    SendError,
    Sent,
    Unauthorized,
    Unavailable,
    Unknown,
    Unreachable,
    WindowClosed,
)
from channels.message import Attachment, Button, Chosen, Consent, Inbound, Outbound, Pressed, Status
from channels.whatsapp.twilio import TwilioChannel, media_host
from config.approved import Approved
from tests.channels.whatsapp_kit import (
    ACCOUNT_SID,
    CUSTOMER,
    NOW_S,
    PUBLIC_URL,
    delivery,
    outgoing,
    services,
    twilio_accounts,
    whole,
)
from tests.doubles.platform import Fault, Hook
from tests.doubles.twilio import Template, TwilioDouble

WEBHOOK = f"{PUBLIC_URL}/webhooks/whatsapp"
FIELDS = {
    "MessageSid": "SM1",
    "AccountSid": ACCOUNT_SID,
    "From": f"whatsapp:{CUSTOMER}",
    "To": "whatsapp:+14155238886",
    "Body": "Grüße 📦",
    "NumMedia": "0",
}


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioDouble]:
    async with TwilioDouble(hang_s=5.0).running() as double:
        yield double


@asynccontextmanager
async def opened(
    twilio: TwilioDouble, *, public_url: str = PUBLIC_URL, send_timeout_s: float = 2.0, **settings: Any
) -> AsyncIterator[TwilioChannel]:
    accounts = twilio_accounts(**{"api_base": twilio.base_url, **settings})
    channel = TwilioChannel("default", accounts, services(public_url=public_url, send_timeout_s=send_timeout_s))
    async with channel.running():
        yield channel


@pytest.fixture
async def channel(twilio: TwilioDouble) -> AsyncIterator[TwilioChannel]:
    async with opened(twilio) as channel:
        yield channel


def closed(**settings: Any) -> TwilioChannel:
    return TwilioChannel("default", twilio_accounts(**settings), services())


def text(body: str = "an answer", part: str = "part-1", **more: Any) -> Outgoing:
    return outgoing({"body": body}, part, **more)


# ---- webhooks


async def test_a_signed_message_is_received_and_answered_with_nothing(twilio: TwilioDouble) -> None:
    received = await closed().receive(delivery(twilio.hook(WEBHOOK, FIELDS)))
    (fact,) = received.facts
    assert isinstance(fact, Inbound)
    assert (fact.text, fact.address, fact.external_id) == ("Grüße 📦", CUSTOMER, "SM1")
    assert (received.status, received.body) == (204, b"")


async def test_repeated_and_unknown_parameters_are_part_of_the_signature(twilio: TwilioDouble) -> None:
    pairs = MultiDict([*FIELDS.items(), ("New", "1"), ("New", "2"), ("New", "1")])
    assert len((await closed().receive(delivery(twilio.hook(WEBHOOK, pairs)))).facts) == 1


def forgeries(hook: Hook) -> dict[str, Delivery]:
    headers = {name.lower(): value for name, value in hook.headers.items()}
    without = {name: value for name, value in headers.items() if name != "x-twilio-signature"}
    other = TwilioDouble(auth_token="another").hook(WEBHOOK, FIELDS)
    return {
        "missing": delivery(hook, headers=without),
        "garbage": delivery(hook, headers={**headers, "x-twilio-signature": "garbage"}),
        "body changed": delivery(hook, body=hook.body.replace(b"SM1", b"SM2")),
        "parameter added": delivery(hook, body=hook.body + b"&ButtonPayload=x"),
        "another address": delivery(hook, url=WEBHOOK + "?x=1"),
        "another token": delivery(other),
        "as json": delivery(hook, headers={**headers, "content-type": "application/json"}),
        "by the older algorithm, called the newer": delivery(
            hook, headers={**headers, "x-twilio-webhooks-signature-settings": "key=1,algorithm=HMAC_SHA256"}
        ),
        "by an unknown algorithm": delivery(
            hook, headers={**headers, "x-twilio-webhooks-signature-settings": "key=1,algorithm=HMAC_MD5"}
        ),
        "for another account": delivery(TwilioDouble().hook(WEBHOOK, {**FIELDS, "AccountSid": "AC9"})),
    }


@pytest.mark.parametrize("name", list(forgeries(TwilioDouble().hook(WEBHOOK, FIELDS))))
async def test_what_twilio_did_not_sign_is_refused(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        await closed().receive(forgeries(TwilioDouble().hook(WEBHOOK, FIELDS))[name])
    assert caught.value.status == 403


async def test_webhooks_by_get_are_refused(twilio: TwilioDouble) -> None:
    with pytest.raises(Rejected) as caught:
        await closed().receive(delivery(twilio.hook(WEBHOOK, FIELDS), method="GET"))
    assert caught.value.status == 405


async def test_a_shared_key_signs_by_sha256(twilio: TwilioDouble) -> None:
    twilio.shared_key = "the-shared-key"
    hook = twilio.hook(WEBHOOK, FIELDS)
    assert len((await closed(shared_key="the-shared-key").receive(delivery(hook))).facts) == 1
    for wrong in ({"shared_key": "another"}, {}):
        with pytest.raises(Rejected):
            await closed(**wrong).receive(delivery(hook))
    twilio.shared_key = twilio.auth_token  # without a key of its own, the account's token signs both ways
    assert len((await closed().receive(delivery(twilio.hook(WEBHOOK, FIELDS)))).facts) == 1


async def test_json_is_bound_by_the_hash_in_its_address(twilio: TwilioDouble) -> None:
    hook = twilio.json_hook(WEBHOOK, json.dumps(FIELDS).encode())
    assert len((await closed().receive(delivery(hook))).facts) == 1
    for changed in (hook.body.replace(b"SM1", b"SM2"), b""):
        with pytest.raises(Rejected) as caught:
            await closed().receive(delivery(hook, body=changed))
        assert caught.value.status == 403


async def test_other_json_says_nothing(twilio: TwilioDouble) -> None:
    assert (await closed().receive(delivery(twilio.json_hook(WEBHOOK, b"[1]")))).facts == ()
    with pytest.raises(Rejected) as caught:
        await closed().receive(delivery(twilio.json_hook(WEBHOOK, b"{")))
    assert caught.value.status == 400


async def test_a_status_callback_names_our_part(twilio: TwilioDouble) -> None:
    url = f"{WEBHOOK}/status?part=part-7"
    fields = {"MessageSid": "SM9", "MessageStatus": "read", "AccountSid": ACCOUNT_SID, "From": twilio.sender}
    received = await closed().receive(delivery(twilio.hook(url, fields)))
    assert received.facts == (Status("whatsapp", "default", "read", NOW_S, part_id="part-7", provider_id="SM9"),)


# ---- rendering


def test_a_long_answer_is_cut_into_parts_that_twilio_takes() -> None:
    words = " ".join(f"word{number}" for number in range(1_000)) + " 📦" * 900
    parts = closed().render(Outbound(words))
    assert len(parts) > 1
    assert all(len(part["body"].encode("utf-16-le")) <= 3_200 for part in parts)
    assert "".join("".join(part["body"].split()) for part in parts) == "".join(words.split())


def test_buttons_are_words_and_files_are_parts_of_their_own() -> None:
    files = (Attachment("image", "https://shop.example.com/a.png"), Attachment("file", "", ref="f1"))
    parts = closed().render(Outbound("hello", buttons=(Button("Talk to a person", "f1p"),), attachments=files))
    assert parts[0]["body"].endswith("Talk to a person")
    assert [part.get("file") for part in parts] == [
        None,
        {"ref": "", "url": "https://shop.example.com/a.png"},
        {"ref": "f1", "url": ""},
    ]


def test_ratings_need_a_template_and_come_last() -> None:
    message = Outbound("hello", feedback=("up", "down"))
    assert closed().render(message) == [{"body": "hello"}]
    parts = closed(feedback_template_sid="HX1").render(message)
    assert parts == [{"body": "hello"}, {"content_sid": "HX1", "content_variables": {"1": "up", "2": "down"}}]
    assert json.loads(json.dumps(parts)) == parts


def test_a_template_is_used_only_where_one_is_configured() -> None:
    assert closed().template() is None
    assert closed(template_sid="HX2").template() == {"content_sid": "HX2"}


# ---- sending


async def test_a_part_is_sent_with_its_id_in_the_callback(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    sent = await channel.send(text("Grüße 📦", "p/1"))
    assert twilio.visible == {CUSTOMER: ["Grüße 📦"]}
    assert sent == Sent(twilio.messages[-1].sid)


async def test_callbacks_come_back_signed_and_in_any_order(twilio: TwilioDouble) -> None:
    facts: list[Any] = []
    app = web.Application()
    runner = web.AppRunner(app)

    async def accept(request: web.Request) -> web.Response:
        hook = Hook(str(request.url), await request.read(), dict(request.headers))
        received = await channel.receive(delivery(hook))
        facts.extend(received.facts)
        return web.Response(status=received.status)

    app.router.add_post("/webhooks/whatsapp/status", accept)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    twilio.callbacks = "wild"
    async with opened(twilio, public_url=f"http://127.0.0.1:{runner.addresses[0][1]}") as channel:
        sent = await channel.send(text(part="part 1&x"))
        await twilio.settled()
    await runner.cleanup()
    assert {fact.part_id for fact in facts} == {"part 1&x"}
    assert {fact.provider_id for fact in facts} == {sent.provider_id}
    assert {fact.state for fact in facts} == {"sent", "delivered", "read"}
    assert len(facts) == 5


@pytest.mark.parametrize(("account", "path"), [("default", ""), ("berlin", "/berlin")])
async def test_the_callback_address_names_the_account(account: str, path: str) -> None:
    channel = TwilioChannel(account, twilio_accounts(), services())
    assert channel._status_url("p 1") == f"{PUBLIC_URL}/webhooks/whatsapp/status{path}?part=p%201"


async def test_files_go_by_a_public_address(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    await channel.send(outgoing({"body": "", "file": {"ref": "f1", "url": ""}}))
    await channel.send(outgoing({"body": "", "file": {"ref": "", "url": "https://shop.example.com/a.png"}}))
    assert twilio.seen() == [f"<{PUBLIC_URL}/files/f1>", "<https://shop.example.com/a.png>"]
    async with opened(twilio, public_url="") as private:
        with pytest.raises(Refused) as caught:
            await private.send(outgoing({"body": "", "file": {"ref": "f1", "url": ""}}))
    assert caught.value.code == "no_public_url"


async def test_a_chosen_template_is_sent_with_its_values(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    twilio.templates["HX9"] = Template("Hello {{1}}, order {{2}} is ready.")
    chosen = Chosen("HX9", "en", ("Ana", "#1042"))
    (part,) = channel.render(Outbound("Hello Ana, order #1042 is ready.", template=chosen))
    await channel.send(outgoing(part))
    assert twilio.messages[-1].body == "Hello Ana, order #1042 is ready."
    assert closed(templates=("HX9 en: Hello",)).templates() == (Approved("HX9", "en", "Hello"),)


async def test_templates_carry_their_variables(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    twilio.templates["HX1"] = Template("Was this helpful?", (("👍", "{{1}}"), ("👎", "{{2}}")))
    await channel.send(outgoing({"content_sid": "HX1", "content_variables": {"1": "up", "2": "down"}}))
    await channel.send(outgoing({"content_sid": "HX1"}))
    assert twilio.seen()[0] == "Was this helpful? [👍=up] [👎=down]"


FAULTS: list[tuple[Fault, type[SendError], int]] = [
    (Fault.LIMITED, Limited, 0),
    (Fault.REFUSED, Unreachable, 0),
    (Fault.ERROR_BEFORE, Unknown, 0),
    (Fault.ERROR_AFTER, Unknown, 1),
    (Fault.RESET_BEFORE, Unknown, 0),
    (Fault.RESET_AFTER, Unknown, 1),
    (Fault.HANG_BEFORE, Unknown, 0),
    (Fault.HANG_AFTER, Unknown, 1),
]


@pytest.mark.parametrize(("fault", "error", "effects"), FAULTS, ids=str)
async def test_every_fault_has_its_error_and_is_looked_up(
    twilio: TwilioDouble, fault: Fault, error: type[SendError], effects: int
) -> None:
    twilio.faults.script("messages.create", fault)
    async with opened(twilio, send_timeout_s=1.2) as channel:
        tried_at = time.time()
        with pytest.raises(SendError) as caught:
            await channel.send(text())
        assert type(caught.value) is error
        assert twilio.calls["messages.create"] == 1
        assert len(twilio.seen()) == effects
        if error is Unknown:
            found = await channel.find(text(tried_at=tried_at))
            assert (found is not None) == bool(effects)


async def test_retry_after_is_handed_on(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    twilio.per_s = 1
    await channel.send(text())
    with pytest.raises(Limited) as caught:
        await channel.send(text())
    assert (caught.value.retry_after_s, caught.value.scope, caught.value.code) == (1.0, "account", "20429")


@pytest.mark.parametrize(
    ("payload", "settings", "error", "code"),
    [
        ({"body": "x"}, {"auth_token": "wrong"}, Unauthorized, "20003"),
        ({"body": "x"}, {"from": "+4930999999"}, Unauthorized, "63007"),
        ({"body": "x" * 1_601}, {}, Refused, "21617"),
        ({"body": ""}, {}, Refused, "21619"),
        ({"content_sid": "HX404"}, {}, Refused, "21655"),
    ],
)
async def test_refusals_carry_twilios_code(
    twilio: TwilioDouble, payload: dict[str, str], settings: dict[str, str], error: type[SendError], code: str
) -> None:
    async with opened(twilio, **settings) as channel:
        with pytest.raises(error) as caught:
            await channel.send(outgoing(payload))
    assert type(caught.value) is error
    assert caught.value.code == code
    assert CUSTOMER not in str(caught.value)


async def test_an_invalid_number_is_unreachable(channel: TwilioChannel) -> None:
    with pytest.raises(Unreachable):
        await channel.send(Outgoing("p", {"to": "+49"}, {"body": "x"}))


async def test_nothing_listening_means_nothing_sent(twilio: TwilioDouble) -> None:
    async with opened(twilio, api_base="http://127.0.0.1:9") as channel:
        with pytest.raises(Unavailable) as caught:
            await channel.send(text())
        with pytest.raises(Unknown):
            await channel.find(text(tried_at=time.time()))
    assert caught.value.code == "no_connection"


@pytest.mark.parametrize("answer", [b"", b"[]", b"null", b"{}", b'{"sid": null}', b"<html>"])
async def test_an_answer_without_sense_leaves_the_outcome_open(answer: bytes) -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.Response(status=201, body=answer, content_type="application/json")

    async with TwilioDouble(account_sid="AC1").running() as other, AsyncExitStack() as stack:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", odd)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        channel = await stack.enter_async_context(opened(other, api_base=f"http://127.0.0.1:{runner.addresses[0][1]}"))
        with pytest.raises(Unknown):
            await channel.send(text())
        with pytest.raises(Unknown):
            await channel.find(text(tried_at=time.time()))


async def test_a_closed_window_shows_in_the_list_and_in_the_callback(twilio: TwilioDouble) -> None:
    twilio.window = True
    async with opened(twilio) as channel:
        tried_at = time.time()
        await channel.send(text())  # accepted: the refusal comes in the callback
        found = await channel.find(text(tried_at=tried_at))
        assert isinstance(found, Failed)
        assert isinstance(found.error, WindowClosed)
        twilio.heard(CUSTOMER, "hello?")
        await channel.send(text("now it may"))
    assert twilio.visible == {CUSTOMER: ["now it may"]}


# ---- looking up


def delivered(sent: Sent) -> Sent:
    return Sent(sent.provider_id, "delivered")  # by the time we ask


async def test_a_look_up_takes_no_message_of_another_part(channel: TwilioChannel) -> None:
    tried_at = time.time()
    first = await channel.send(text("same words", "part-1"))
    known = frozenset({first.provider_id})
    assert await channel.find(text("same words", "part-2", tried_at=tried_at, known=known)) is None
    second = await channel.send(text("same words", "part-2"))
    assert await channel.find(text("same words", "part-2", tried_at=tried_at, known=known)) == delivered(second)
    assert await channel.find(text("other words", tried_at=tried_at)) is None
    assert await channel.find(text("same words", tried_at=tried_at, to="whatsapp:+4915100000000")) is None
    assert await channel.find(text("same words", tried_at=tried_at + 600)) is None
    assert await channel.find(text("same words")) is None


async def test_a_look_up_reads_on_until_it_finds(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    tried_at = time.time()
    sent = await channel.send(text("the one"))
    for number in range(230):
        twilio._sent(MultiDict({"To": f"whatsapp:{CUSTOMER}", "Body": f"noise {number}"}))
    assert await channel.find(text("the one", tried_at=tried_at)) == delivered(sent)
    assert twilio.calls["messages.list"] == 3


async def test_a_look_up_of_files_and_templates(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    twilio.templates["HX1"] = Template("Was this helpful?")
    tried_at = time.time()
    file = {"body": "", "file": {"ref": "f1", "url": ""}}
    with_file = await channel.send(outgoing(file))
    assert await channel.find(outgoing(file, tried_at=tried_at)) == delivered(with_file)
    assert await channel.find(outgoing({"body": ""}, tried_at=tried_at)) is None
    template = await channel.send(outgoing({"content_sid": "HX1"}))
    known = frozenset({with_file.provider_id})
    assert await channel.find(outgoing({"content_sid": "HX1"}, tried_at=tried_at, known=known)) == delivered(template)


async def test_a_late_message_is_found_by_looking_again(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    async def appear() -> None:
        while twilio.calls["messages.list"] == 0:
            await asyncio.sleep(0.01)
        twilio._sent(MultiDict({"To": f"whatsapp:{CUSTOMER}", "Body": "late"}))

    appearing = asyncio.create_task(appear())
    found = await channel.find(text("late", tried_at=time.time()))
    await appearing
    assert found == Sent(twilio.messages[-1].sid, "delivered")


async def test_a_list_that_cannot_be_read_tells_nothing(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    # a read over a kept connection is tried again by aiohttp: two resets
    twilio.faults.script("messages.list", Fault.ERROR_BEFORE, Fault.LIMITED, Fault.RESET_BEFORE, Fault.RESET_BEFORE)
    for error in (Unknown, Limited, Unknown):
        with pytest.raises(error):
            await channel.find(text(tried_at=time.time()))


# ---- catching up


async def test_catching_up_reads_what_was_missed_in_order(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    start = time.time()
    for number, ago_s in enumerate((7_200, 600, 300, 200)):
        twilio.clock = lambda ago_s=ago_s: start - ago_s  # type: ignore[misc]
        twilio.heard(CUSTOMER, f"message {number}")
    twilio.clock = time.time
    twilio.heard(CUSTOMER, "STOP")
    picture = twilio.heard(CUSTOMER, "look", files=[("image/png", b"\x89PNG")])
    await channel.send(text("not this"))
    twilio.heard(CUSTOMER, "for another number").to = "whatsapp:+4930111111"
    facts = [fact for batch in [batch async for batch in channel.catch_up(start - 400)] for fact in batch]
    texts = [fact.text if isinstance(fact, Inbound) else fact for fact in facts]
    assert texts[:2] == ["message 2", "message 3"]
    assert isinstance(texts[2], Consent)
    last = facts[3]
    assert isinstance(last, Inbound)
    assert (last.text, last.external_id) == ("look", picture.sid)
    assert len(facts) == 4
    assert await whole(channel.fetch(last.attachments[0], {})) == b"\x89PNG"
    assert twilio.leaked == []


async def test_catching_up_over_many_pages(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    for number in range(250):
        twilio.heard(f"+49151000{number:05d}", f"message {number}")
    batches = [batch async for batch in channel.catch_up(time.time() - 60)]
    facts = [fact for batch in batches for fact in batch]
    assert len(batches) > 5
    assert sorted(fact.text for fact in facts if isinstance(fact, Inbound)) == sorted(
        f"message {number}" for number in range(250)
    )


async def test_catching_up_with_nothing_missed(channel: TwilioChannel) -> None:
    assert [batch async for batch in channel.catch_up(time.time())] == []


async def test_catching_up_says_when_it_cannot(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    twilio.faults.script("messages.list", Fault.ERROR_BEFORE)
    with pytest.raises(Unavailable):
        [batch async for batch in channel.catch_up(time.time())]


# ---- files


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
        "https://api.twilio.com.evil.example.com/x",
        "https://api.twilio.com@evil.example.com/x",
        "http://api.twilio.com/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "",
    ],
)
async def test_credentials_go_to_twilio_only(channel: TwilioChannel, url: str) -> None:
    with pytest.raises(Refused) as caught:
        await whole(channel.fetch(Attachment("image", url), {}))
    assert caught.value.code == "host"


async def test_a_file_at_twilios_own_address_is_read_from_the_configured_base(
    twilio: TwilioDouble, channel: TwilioChannel
) -> None:
    message = twilio.heard(CUSTOMER, "", files=[("image/png", b"x" * 200_000)])
    url = message.fields["MediaUrl0"].replace(twilio.base_url, "https://api.twilio.com")
    assert await whole(channel.fetch(Attachment("image", url), {})) == b"x" * 200_000


async def test_a_file_that_is_gone(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    url = f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/MM9/Media/ME9"
    with pytest.raises(Refused) as caught:
        await whole(channel.fetch(Attachment("image", url), {}))
    assert caught.value.code == "404"


async def test_a_redirect_away_from_twilios_hosts_is_not_followed(twilio: TwilioDouble) -> None:
    targets = iter(["https://evil.example.com/x", "http://s3.amazonaws.com/x", "https://s3.amazonaws.com:444/x"])

    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound(next(targets))

    twilio.app.router._frozen = False
    twilio.app.router.add_get("/away", away)
    async with opened(twilio) as channel:
        for _ in range(3):
            with pytest.raises(Refused) as caught:
                await whole(channel.fetch(Attachment("image", f"{twilio.base_url}/away"), {}))
            assert caught.value.code == "host"


@pytest.mark.parametrize(
    "url", ["https://mms.twiliocdn.com/AC1/x", "https://s3-external-1.amazonaws.com/media.twiliocdn.com/AC1/x"]
)
def test_twilios_own_media_hosts_are_followed(url: str) -> None:
    assert media_host(url)


async def test_a_missing_sdk_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twilio.rest.api.v2010.account.message", None)
    with pytest.raises(ChannelError, match="pip install"):
        async with closed().running():
            pass


async def test_a_channel_that_is_not_running_fetches_nothing() -> None:
    with pytest.raises(Unavailable):
        await whole(closed().fetch(Attachment("image", "https://api.twilio.com/x"), {}))


# ---- the rest


async def test_typing_names_the_customers_last_message(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    message = twilio.heard(CUSTOMER, "hello")
    await channel.typing({"to": f"whatsapp:{CUSTOMER}", "message": message.sid})
    await channel.typing({"to": f"whatsapp:{CUSTOMER}"})
    assert twilio.typing == [message.sid]
    with pytest.raises(Refused):
        await channel.typing({"message": "SM404"})


async def test_the_account_is_checked(twilio: TwilioDouble, channel: TwilioChannel) -> None:
    assert (await channel.check()).ok
    async with opened(twilio, auth_token="wrong") as wrong:
        health = await wrong.check()
    assert not health.ok
    assert "auth_token" in health.detail
    async with opened(twilio, api_base="http://127.0.0.1:9") as away:
        assert not (await away.check()).ok


async def test_an_account_that_is_suspended(twilio: TwilioDouble) -> None:
    async def suspended(_: web.Request) -> web.Response:
        return web.json_response({"sid": "AC7", "status": "suspended"})

    twilio.app.router._frozen = False
    twilio.app.router.add_get("/2010-04-01/Accounts/AC7.json", suspended)
    async with opened(twilio, account_sid="AC7") as channel:
        health = await channel.check()
    assert not health.ok
    assert "suspended" in health.detail


async def test_there_are_no_drafts(channel: TwilioChannel) -> None:
    assert channel.limits.draft == "none"
    with pytest.raises(Refused):
        await channel.open_draft("d", {}, "x")
    with pytest.raises(Refused):
        await channel.update_draft("d", {}, "x")
    assert await channel.find_draft("d", {}, 0.0) == ""
    await channel.withdraw_draft("d", {})


async def test_nothing_is_polled_or_confirmed(channel: TwilioChannel) -> None:
    async def accept(_: Any) -> None:
        raise AssertionError

    await channel.listen(accept)
    await channel.confirm(Pressed("whatsapp", "default", CUSTOMER, CUSTOMER, "x", "SM1", NOW_S))


async def test_signed_deliveries_of_the_double_are_the_ones_we_accept(twilio: TwilioDouble) -> None:
    message = twilio.heard(CUSTOMER, "hello", files=[("audio/ogg", b"OggS")])
    hook = twilio.hook(WEBHOOK, message.fields, "token")
    assert dict(parse_qsl(hook.body.decode(), keep_blank_values=True)) == message.fields
    assert urlencode({"Body": "hello"}).encode() in hook.body
    (fact,) = (await closed().receive(delivery(hook))).facts
    assert isinstance(fact, Inbound)
    assert fact.attachments[0].voice
