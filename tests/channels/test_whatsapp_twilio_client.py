"""The HTTP client that the SDK gets from us."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from twilio.rest import Client

from channels.base import Limited, Unavailable
from channels.whatsapp.twilio_client import RestClient
from tests.doubles.platform import Fault
from tests.doubles.twilio import TwilioDouble


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioDouble]:
    async with TwilioDouble().running() as double:
        yield double


def test_twilios_hosts_are_replaced_and_no_other() -> None:
    client = RestClient(None, "http://127.0.0.1:9000/")  # type: ignore[arg-type]
    assert client.address("https://api.twilio.com/2010-04-01/x") == "http://127.0.0.1:9000/2010-04-01/x"
    assert client.address("https://messaging.twilio.com/v2/x") == "http://127.0.0.1:9000/v2/x"
    assert client.address("https://api.twilio.com.evil.example/x") == "https://api.twilio.com.evil.example/x"
    assert RestClient(None, "").address("https://api.twilio.com/x") == "https://api.twilio.com/x"  # type: ignore[arg-type]


async def test_the_sdk_works_over_our_session_and_logs_nothing(
    twilio: TwilioDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "twilio")
    async with ClientSession() as session:
        client = Client(twilio.account_sid, twilio.auth_token, http_client=RestClient(session, twilio.base_url))
        message = await client.messages.create_async(
            to="whatsapp:+4915112345678", from_=twilio.sender, media_url=["https://a.example/1", "https://a.example/2"]
        )
        assert message.sid == twilio.messages[0].sid
        listed = await client.messages.list_async(to="whatsapp:+4915112345678")
    assert [one.sid for one in listed] == [message.sid]
    assert caplog.records == []


async def test_errors_are_ours_with_their_headers(twilio: TwilioDouble) -> None:
    twilio.faults.script("messages.list", Fault.LIMITED, Fault.ERROR_BEFORE)
    async with ClientSession() as session:
        client = Client(twilio.account_sid, twilio.auth_token, http_client=RestClient(session, twilio.base_url))
        for error in (Limited, Unavailable):
            with pytest.raises(error):
                await client.messages.list_async()
