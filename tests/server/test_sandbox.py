"""The simulator's channels: a customer's words pass the platform's own normalizer, and sends reach nobody."""

from __future__ import annotations

import pytest

from channels.base import Delivery, File, Outgoing, Rejected, Services
from channels.message import Consent, Fact, Inbound, Outbound
from server import sandbox
from server.sandbox import ACCOUNT, Sandboxes


async def load(_name: str) -> str:
    return ""


async def save(_name: str, _value: str) -> None:
    return


async def file(_file_id: str) -> File:
    raise AssertionError("no file is asked for")


def sandboxes(provider: str = "meta") -> Sandboxes:
    return Sandboxes(lambda: Services(1.0, "", load, save, file, lambda _id: "", look_only=True), lambda: provider)


def heard(platform: str, text: str, provider: str = "meta") -> Fact:
    channel = sandboxes(provider).get(platform)
    assert channel is not None
    delivered = sandbox.said(platform, "123456789", text, sandbox.new_number(), 1_700_000_000.0)
    assert not isinstance(delivered, Inbound)
    (fact,) = channel.normalize(delivered, now_s=1_700_000_000.0)
    return fact


@pytest.mark.parametrize(
    ("platform", "provider"), [("telegram", ""), ("slack", ""), ("whatsapp", "meta"), ("whatsapp", "twilio")]
)
async def test_words_enter_as_the_platform_would_bring_them(platform: str, provider: str):
    fact = heard(platform, "Do you ship?", provider)
    assert isinstance(fact, Inbound)
    assert (fact.channel, fact.account, fact.text, fact.name) == (platform, ACCOUNT, "Do you ship?", sandbox.NAME)
    assert fact.address == sandbox.customer_address(platform, "123456789")


async def test_the_platforms_own_words_mean_what_they_mean_there():
    stop = heard("whatsapp", "STOP")
    assert isinstance(stop, Consent)
    assert not stop.allowed
    assert isinstance(heard("telegram", "/stop"), Consent)


async def test_sends_succeed_and_reach_nobody():
    channel = sandboxes().get("telegram")
    assert channel is not None
    (payload,) = channel.render(Outbound("Hello **you**"))
    assert payload["html"] == "Hello <b>you</b>"
    out = Outgoing("part-1", {"chat": "1"}, payload)
    assert (await channel.send(out)).provider_id == "simulated-part-1"
    assert await channel.find(out) == await channel.send(out)
    assert (channel.limits.draft, channel.limits.edit_interval_s, channel.limits.text_units) == ("none", None, 4_096)
    assert (await channel.check()).ok
    with pytest.raises(Rejected):
        await channel.receive(Delivery("POST", "http://x/", "/", {}, {}, b"", 0.0))


def test_the_web_and_strangers_have_no_channel():
    assert sandboxes().get("web") is None
    assert sandboxes().get("fax") is None
    assert isinstance(sandbox.said("web", "1", "Hi", "7", 1.0), Inbound)


def test_customers_of_different_people_and_sessions_differ():
    digits = {sandbox.address_digits(person, session) for person in ("ana", "ben") for session in ("0", "1")}
    assert len(digits) == 4
    assert all(len(each) == 9 for each in digits)
    assert sandbox.address_digits("ana", "0") == sandbox.address_digits("ana", "0")
