"""Who may knock: signatures over raw bytes, times, the shapes of bodies; checked against the vendor's own verifier."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier

from channels.base import Delivery, Outgoing, Rejected
from channels.slack import door
from tests.channels.slack_rig import SECRET, delivery, rigged
from tests.doubles.slack import signature

NOW = 1_763_712_000.0
BODY = b'{"type": "event_callback"}'


class Standing(Clock):
    def now(self) -> float:
        return NOW


def knock(body: bytes = BODY, headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> Delivery:
    made = {name.lower(): value for name, value in signature(SECRET, body, NOW).items()}
    return Delivery("POST", "https://d.example/w", "/w", query or {}, made | (headers or {}), body, NOW)


def refused(sent: Delivery, secret: str = SECRET) -> int:
    with pytest.raises(Rejected) as caught:
        door.opened(sent, secret)
    return caught.value.status


def test_a_signed_body_is_opened() -> None:
    assert door.opened(knock(), SECRET) == {"type": "event_callback"}


@pytest.mark.parametrize("skew_s", [-400, -301, 301, 400])
def test_old_and_future_times_are_refused(skew_s: int) -> None:
    assert refused(knock(headers={k.lower(): v for k, v in signature(SECRET, BODY, NOW + skew_s).items()})) == 401


@pytest.mark.parametrize("skew_s", [-299, 0, 299])
def test_small_skews_are_fine(skew_s: int) -> None:
    assert door.opened(knock(headers={k.lower(): v for k, v in signature(SECRET, BODY, NOW + skew_s).items()}), SECRET)


@pytest.mark.parametrize("stamp", ["", "soon", "-5", "1e9", "1763712000.5", "٣", "9" * 400, " 1763712000"])
def test_a_time_that_is_no_number_is_refused_and_no_fault(stamp: str) -> None:
    assert refused(knock(headers={"x-slack-request-timestamp": stamp})) == 401


@pytest.mark.parametrize("mac", ["", "v0=", "v0=" + "0" * 64, "v1=abc", "v0=ü", "\ud800"])
def test_wrong_signatures_are_refused(mac: str) -> None:
    assert refused(knock(headers={"x-slack-signature": mac})) == 401


def test_missing_headers_changed_bodies_and_other_secrets_are_refused() -> None:
    good = knock()
    bare = Delivery("POST", good.url, good.path, {}, {}, BODY, NOW)
    changed = Delivery("POST", good.url, good.path, {}, good.headers, BODY + b" ", NOW)
    assert [refused(bare), refused(changed), refused(good, "other"), refused(good, "")] == [401, 401, 401, 401]


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert refused(knock(b"\xff\xfe")) == 401


def test_bodies_that_are_none_of_slacks_are_refused() -> None:
    for body in (b"{", b"[1]", b"payload=%5B1%5D", b"text=hi", b"", b"payload={"):
        assert refused(knock(body)) == 400


@hypothesis(max_examples=50)
@given(st.text(max_size=200))
def test_the_vendors_verifier_agrees(text: str) -> None:
    body = json.dumps({"type": "event_callback", "text": text}, ensure_ascii=False).encode("utf-8", "replace")
    sent = knock(body)
    verifier = SignatureVerifier(SECRET, clock=Standing())
    assert verifier.is_valid_request(body, dict(sent.headers))
    assert door.opened(sent, SECRET)
    assert not verifier.is_valid_request(body + b" ", dict(sent.headers))


async def test_the_address_is_verified_by_its_challenge() -> None:
    async with rigged() as rig:
        challenge: dict[str, Any] = {"type": "url_verification", "challenge": "3eZbrw1a", "token": "x"}
        received = await rig.channel.receive(delivery(challenge))
        assert (received.status, received.body, received.facts) == (200, b"3eZbrw1a", ())
        with pytest.raises(Rejected):
            await rig.channel.receive(delivery(challenge, "wrong"))


async def test_the_certificate_check_carries_nothing() -> None:
    async with rigged() as rig:
        assert (await rig.channel.receive(knock(b"ssl_check=1&token=x", {"x-slack-signature": ""}))).status == 200
        assert (await rig.channel.receive(knock(b"", {}, {"ssl_check": "1"}))).facts == ()


async def test_repeats_and_rate_notices_are_answered() -> None:
    async with rigged() as rig:
        (event, _) = rig.slack.say("C1", "<@UDESK> hi")
        headers = {"x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"}
        again = await rig.channel.receive(delivery(event, **headers))
        assert len(again.facts) == 1
        limited = await rig.channel.receive(delivery({"type": "app_rate_limited", "team_id": "T1"}))
        assert (limited.status, limited.facts) == (200, ())
        old = delivery(event, now_s=time.time() + 400)
        with pytest.raises(Rejected) as caught:
            await rig.channel.receive(old)
        assert caught.value.status == 401


async def test_button_presses_come_as_a_form() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        payload = {"text": "Yes", "markdown": "Yes", "feedback": ["f1up", "f1down"]}
        sent = await rig.channel.send(Outgoing("p1", fact.route, payload))
        press = rig.slack.press("C1", sent.provider_id.partition(":")[2], "f1down")
        (pressed,) = (await rig.channel.receive(delivery(press))).facts
        assert (pressed.account, getattr(pressed, "payload", "")) == ("default", "f1down")
