"""WhatsApp through Meta's Cloud API against a double of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from channels.base import (
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
from channels.message import Attachment, Chosen, Inbound, Outbound, Status
from channels.whatsapp.meta import MetaChannel
from tests.channels.whatsapp_kit import PUBLIC_URL, delivery, meta_accounts, services, whole
from tests.doubles.meta import MetaDouble
from tests.doubles.platform import Fault, Hook

NUMBER = "4915112345678"
WEBHOOK = f"{PUBLIC_URL}/webhooks/whatsapp/meta"


@pytest.fixture
async def meta() -> AsyncIterator[MetaDouble]:
    async with MetaDouble(hang_s=5.0).running() as double:
        double.webhook_url = WEBHOOK
        yield double


@asynccontextmanager
async def opened(meta: MetaDouble, *, send_timeout_s: float = 2.0, **settings: Any) -> AsyncIterator[MetaChannel]:
    accounts = meta_accounts(**{"api_base": meta.base_url, **settings})
    channel = MetaChannel("default", accounts, services(send_timeout_s=send_timeout_s))
    async with channel.running():
        yield channel


@pytest.fixture
async def channel(meta: MetaDouble) -> AsyncIterator[MetaChannel]:
    async with opened(meta) as channel:
        yield channel


def closed(**settings: Any) -> MetaChannel:
    return MetaChannel("default", meta_accounts(**settings), services())


def text(body: str = "an answer", to: str = NUMBER) -> Outgoing:
    return Outgoing("part-1", {"to": to}, {"type": "text", "text": {"body": body, "preview_url": False}})


# ---- webhooks


async def test_the_handshake_needs_our_word(meta: MetaDouble) -> None:
    received = await closed().receive(delivery(meta.handshake()))
    assert (received.status, received.body, received.facts) == (200, b"1158201444", ())
    for hook in (meta.handshake("wrong"), meta.handshake(""), meta.handshake("ä"), Hook(WEBHOOK, b"", {}, "GET")):
        with pytest.raises(Rejected) as caught:
            await closed().receive(delivery(hook))
        assert caught.value.status == 403


async def test_a_batch_of_two_customers_in_escaped_bytes(meta: MetaDouble) -> None:
    payload = meta.batch(meta.message(NUMBER, text="Grüße 😀 https://x"), meta.message("15551234567", text="two"))
    hook = meta.hook(payload)
    assert b"\\ud83d\\ude00" in hook.body
    assert b"\\/" in hook.body
    received = await closed().receive(delivery(hook))
    assert [(fact.address, fact.text) for fact in received.facts if isinstance(fact, Inbound)] == [
        (f"+{NUMBER}", "Grüße 😀 https://x"),
        ("+15551234567", "two"),
    ]
    assert (received.status, received.body) == (200, b"")


async def test_what_meta_did_not_sign_is_refused(meta: MetaDouble) -> None:
    hook = meta.hook(meta.batch(meta.message(NUMBER, text="Grüße 😀")))
    reserialized = json.dumps(json.loads(hook.body), ensure_ascii=False).encode()
    another = MetaDouble(app_secret="another")
    for forged in (
        delivery(hook, headers={}),
        delivery(hook, headers={"x-hub-signature-256": "sha256=0"}),
        delivery(hook, body=reserialized),
        delivery(hook, body=hook.body.replace(b"Gr", b"gr")),
        delivery(another.hook(json.loads(hook.body))),
    ):
        with pytest.raises(Rejected) as caught:
            await closed().receive(forged)
        assert caught.value.status == 403


async def test_unknown_fields_are_taken_and_mean_nothing(meta: MetaDouble) -> None:
    for payload in (meta.batch(field="account_update", event="VERIFIED"), [1], "x"):
        received = await closed().receive(delivery(meta.hook(payload)))
        assert (received.status, list(received.facts)) == (200, [])


async def test_a_signed_body_that_is_no_json(meta: MetaDouble) -> None:
    with pytest.raises(Rejected) as caught:
        await closed().receive(delivery(meta.hook(b"{")))
    assert caught.value.status == 400


async def test_statuses_name_our_part(meta: MetaDouble, channel: MetaChannel) -> None:
    sent = await channel.send(text())
    for state in ("read", "delivered", "sent"):
        hook = meta.hook(meta.batch(statuses=[meta.status(meta.messages[0], state)]))
        (fact,) = (await channel.receive(delivery(hook))).facts
        assert isinstance(fact, Status)
        assert (fact.part_id, fact.provider_id, fact.state) == ("part-1", sent.provider_id, state)


# ---- sending


async def test_rendered_buttons_reach_the_customer(meta: MetaDouble, channel: MetaChannel) -> None:
    (payload,) = channel.render(Outbound("**hello**", feedback=("up", "down")))
    await channel.send(Outgoing("p", {"to": NUMBER}, payload))
    assert meta.seen() == ["*hello* [👍=up] [👎=down]"]


async def test_a_text_is_sent_without_a_preview(meta: MetaDouble, channel: MetaChannel) -> None:
    sent = await channel.send(text("Grüße 😀"))
    assert meta.visible == {NUMBER: ["Grüße 😀"]}
    assert sent == Sent(meta.messages[0].wamid)
    assert meta.messages[0].payload["text"] == {"body": "Grüße 😀", "preview_url": False}
    assert meta.messages[0].payload["recipient_type"] == "individual"


async def test_a_customer_without_a_number_is_written_to_by_id(meta: MetaDouble, channel: MetaChannel) -> None:
    await channel.send(Outgoing("p", {"user": "US.1349"}, text().payload))
    assert meta.messages[0].payload["recipient"] == "US.1349"
    assert "to" not in meta.messages[0].payload


async def test_stored_files_are_uploaded_and_others_linked(meta: MetaDouble, channel: MetaChannel) -> None:
    stored = {"type": "document", "file": {"ref": "f1", "url": "", "name": "label.pdf"}}
    linked = {"type": "image", "file": {"ref": "", "url": "https://shop.example.com/a.png", "name": ""}}
    await channel.send(Outgoing("p1", {"to": NUMBER}, stored))
    await channel.send(Outgoing("p2", {"to": NUMBER}, linked))
    assert meta.messages[0].payload["document"]["filename"] == "label.pdf"
    assert meta.files[meta.messages[0].payload["document"]["id"]] == ("application/pdf", b"%PDF-1.7")
    assert meta.messages[1].payload["image"] == {"link": "https://shop.example.com/a.png"}


async def test_a_chosen_template_is_sent_with_its_values(meta: MetaDouble) -> None:
    async with opened(meta, templates=("order_ready en_US: Hello {{1}}",)) as channel:
        (offered,) = channel.templates()
        chosen = Chosen(offered.key, offered.language, ("Ana",))
        (part,) = channel.render(Outbound(offered.filled(chosen.values), template=chosen))
        await channel.send(Outgoing("p", {"to": NUMBER}, part))
        (bare,) = channel.render(Outbound("x", template=Chosen("come_back", "de")))
    assert "components" not in bare["template"]
    assert meta.seen(NUMBER) == ["template order_ready/en_US"]
    parameters = meta.messages[-1].payload["template"]["components"][0]["parameters"]
    assert parameters == [{"type": "text", "text": "Ana"}]


async def test_the_template_is_sent_in_its_language(meta: MetaDouble) -> None:
    assert closed().template() is None
    async with opened(meta, template_name="come_back", template_language="de") as channel:
        template = channel.template()
        assert template is not None
        await channel.send(Outgoing("p", {"to": NUMBER}, template))
    assert meta.seen(NUMBER) == ["template come_back/de"]


FAULTS: list[tuple[Fault, type[SendError], int]] = [
    (Fault.LIMITED, Limited, 0),
    (Fault.REFUSED, Unreachable, 0),
    (Fault.ERROR_BEFORE, Unavailable, 0),
    (Fault.RESET_BEFORE, Unknown, 0),
    (Fault.RESET_AFTER, Unknown, 1),
    (Fault.HANG_BEFORE, Unknown, 0),
    (Fault.HANG_AFTER, Unknown, 1),
]


@pytest.mark.parametrize(("fault", "error", "effects"), FAULTS, ids=str)
async def test_every_fault_has_its_error(meta: MetaDouble, fault: Fault, error: type[SendError], effects: int) -> None:
    meta.faults.script("messages", fault)
    async with opened(meta, send_timeout_s=1.2) as channel:
        with pytest.raises(SendError) as caught:
            await channel.send(text())
    assert type(caught.value) is error
    assert meta.calls["messages"] == 1
    assert len(meta.seen()) == effects


async def test_nothing_can_be_looked_up(channel: MetaChannel) -> None:
    assert not channel.limits.look_up
    assert channel.limits.proof_s > 0
    with pytest.raises(Unknown):
        await channel.find(text())
    assert [batch async for batch in channel.catch_up(0.0)] == []


async def test_a_pair_of_numbers_is_limited_for_that_chat(meta: MetaDouble, channel: MetaChannel) -> None:
    meta.pair_burst = 1
    await channel.send(text())
    with pytest.raises(Limited) as caught:
        await channel.send(text())
    assert (caught.value.scope, caught.value.retry_after_s) == ("chat", 6.0)
    await channel.send(text(to="15551234567"))


async def test_a_closed_window(meta: MetaDouble, channel: MetaChannel) -> None:
    meta.window = "answer"
    with pytest.raises(WindowClosed):
        await channel.send(text())
    meta.window = "status"
    await channel.send(text())
    hook = meta.hook(meta.batch(statuses=[meta.status(meta.messages[0], "failed")]))
    (fact,) = (await channel.receive(delivery(hook))).facts
    assert isinstance(fact, Status)
    assert (fact.state, fact.code) == ("failed", "window_closed")
    meta.message(NUMBER, text="hello")
    await channel.send(text("now it may"))
    assert meta.seen() == ["now it may"]


@pytest.mark.parametrize(
    ("payload", "settings", "error", "code"),
    [
        (text().payload, {"access_token": "wrong"}, Unauthorized, "190"),
        (text("x" * 4_097).payload, {}, Refused, "131009"),
    ],
)
async def test_refusals_carry_metas_code(
    meta: MetaDouble, payload: dict[str, Any], settings: dict[str, str], error: type[SendError], code: str
) -> None:
    async with opened(meta, **settings) as channel:
        with pytest.raises(error) as caught:
            await channel.send(Outgoing("p", {"to": NUMBER}, payload))
    assert type(caught.value) is error
    assert caught.value.code == code


async def test_nothing_listening_means_nothing_sent(meta: MetaDouble) -> None:
    async with opened(meta, api_base="http://127.0.0.1:9") as channel:
        with pytest.raises(Unavailable):
            await channel.send(text())
    with pytest.raises(Unavailable):
        await closed().send(text())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", Unknown),
        ("[]", Unknown),
        ("{}", Unknown),
        ('{"messages": []}', Unknown),
        ('{"messages": [{}]}', Unknown),
        ('{"error": {"code": 131026}}', Unreachable),
    ],
)
async def test_an_odd_answer(meta: MetaDouble, body: str, error: type[SendError]) -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.Response(text=body)

    meta.app.router._frozen = False
    meta.app.router.add_post("/v23.0/77/messages", odd)
    async with opened(meta, phone_number_id="77") as channel:
        with pytest.raises(error):
            await channel.send(text())


async def test_an_error_page_means_nothing_was_sent(meta: MetaDouble) -> None:
    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>")

    meta.app.router._frozen = False
    meta.app.router.add_post("/v23.0/78/messages", broken)
    async with opened(meta, phone_number_id="78") as channel:
        with pytest.raises(Unavailable) as caught:
            await channel.send(text())
    assert caught.value.code == "http_502"


# ---- the rest


async def test_typing_marks_the_message_read(meta: MetaDouble, channel: MetaChannel) -> None:
    await channel.typing({"to": NUMBER, "message": "wamid.1"})
    await channel.typing({"to": NUMBER})
    assert meta.typing == ["wamid.1"]


async def test_a_file_is_asked_for_by_id_and_read_with_our_token(meta: MetaDouble, channel: MetaChannel) -> None:
    meta.files["900"] = ("image/png", b"\x89PNG" * 50_000)
    assert await whole(channel.fetch(Attachment("image", "", ref="900"), {})) == b"\x89PNG" * 50_000
    with pytest.raises(Refused):
        await whole(channel.fetch(Attachment("image", "", ref="404"), {}))


@pytest.mark.parametrize("ref", ["", "../123", "1?access_token=x", "a/b"])
async def test_an_id_is_not_a_path(meta: MetaDouble, channel: MetaChannel, ref: str) -> None:
    with pytest.raises(Refused) as caught:
        await whole(channel.fetch(Attachment("image", "", ref=ref), {}))
    assert caught.value.code == "no_file"
    assert meta.calls["media"] == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/x",
        "http://lookaside.fbsbx.com/x",
        "https://fbcdn.net.evil.example.com/",
        "https://xfbcdn.net/",
    ],
)
async def test_our_token_goes_to_metas_hosts_only(meta: MetaDouble, channel: MetaChannel, url: str) -> None:
    meta.files["900"] = ("image/png", b"x")
    meta.file_url = url
    with pytest.raises(Refused) as caught:
        await whole(channel.fetch(Attachment("image", "", ref="900"), {}))
    assert caught.value.code == "host"


def test_metas_own_file_hosts_are_known() -> None:
    assert closed()._file_host("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1")
    assert closed()._file_host("https://scontent.xx.fbcdn.net/x")
    assert not closed()._file_host("https://graph.facebook.com/x")
    assert not closed()._file_host("https://lookaside.fbsbx.com:8443/x")


async def test_a_file_that_its_host_no_longer_has(meta: MetaDouble, channel: MetaChannel) -> None:
    meta.files["900"] = ("image/png", b"x")
    meta.file_url = f"{meta.base_url}/nowhere/at/all/here"
    with pytest.raises(Refused) as caught:
        await whole(channel.fetch(Attachment("image", "", ref="900"), {}))
    assert caught.value.code == "http_404"


async def test_the_number_is_checked(meta: MetaDouble, channel: MetaChannel) -> None:
    health = await channel.check()
    assert health.ok
    assert "+1 555-078-3881" in health.detail
    async with opened(meta, access_token="wrong") as wrong:
        health = await wrong.check()
    assert not health.ok
    assert "access_token" in health.detail
    async with opened(meta, api_base="http://127.0.0.1:9") as away:
        assert not (await away.check()).ok


async def test_the_double_delivers_with_metas_patience(meta: MetaDouble) -> None:
    facts: list[Any] = []
    statuses = iter([503, 200, 200, 200, 200, 200, 200])

    async def accept(request: web.Request) -> web.Response:
        status = next(statuses)
        if status == 200:
            hook = Hook(WEBHOOK, await request.read(), dict(request.headers))
            facts.extend((await closed().receive(delivery(hook))).facts)
        return web.Response(status=status)

    meta.app.router._frozen = False
    meta.app.router.add_post("/webhooks/whatsapp/meta", accept)
    meta.webhook_url = f"{meta.base_url}/webhooks/whatsapp/meta"
    meta.statuses = "wild"
    delivered = await meta.say(NUMBER, "hello")
    assert delivered.statuses == [503, 200]
    async with opened(meta) as channel:
        await channel.send(text())
        await meta.settled()
    assert [type(fact) for fact in facts] == [Inbound, *[Status] * 4]
