"""Words, moods, kinds and waits."""

from __future__ import annotations

import pytest

from channels.message import Consent, Inbound
from channels.whatsapp import common


def said(text: str, keyword: str = "") -> object:
    return common.consent_of(Inbound("whatsapp", "default", "+49151", "SM1", text, 0.0), keyword)


@pytest.mark.parametrize("text", ["STOP", "stop", " Stop! ", "“stop”", "stop  all", "Unsubscribe", "OPT-OUT"])
def test_words_that_forbid(text: str) -> None:
    fact = said(text)
    assert isinstance(fact, Consent)
    assert not fact.allowed
    assert fact.inbound is not None
    assert fact.inbound.text == text


@pytest.mark.parametrize("text", ["START", "unstop"])
def test_words_that_allow(text: str) -> None:
    fact = said(text)
    assert isinstance(fact, Consent)
    assert fact.allowed


@pytest.mark.parametrize("text", ["cancel", "yes", "end", "quit", "please stop the delivery", "stopp", "", "bus stop"])
def test_words_that_mean_other_things_at_a_desk(text: str) -> None:
    assert isinstance(said(text), Inbound)


def test_what_the_platform_understood_counts() -> None:
    assert isinstance(said("arrêter", "STOP"), Consent)
    assert isinstance(said("help", "HELP"), Inbound)


@pytest.mark.parametrize(
    ("emoji", "value"),
    [("👍", "up"), ("👍🏿", "up"), ("❤️", "up"), ("👎", "down"), ("😡", "down"), ("🤔", None), ("", None)],
)
def test_moods(emoji: str, value: str | None) -> None:
    assert common.mood(emoji) == value


@pytest.mark.parametrize(
    ("mime", "kind"),
    [
        ("image/webp", "image"),
        ("audio/ogg; codecs=opus", "audio"),
        ("VIDEO/mp4", "video"),
        ("text/vcard", "contact"),
        ("application/pdf", "file"),
        ("", "file"),
    ],
)
def test_kinds_of_files(mime: str, kind: str) -> None:
    assert common.kind_of(mime) == kind


@pytest.mark.parametrize(
    ("number", "address"),
    [("whatsapp:+4915", "+4915"), ("4915", "+4915"), ("US.134", "US.134"), ("whatsapp:US.134", "US.134"), ("", "")],
)
def test_one_customer_has_one_address_through_both_transports(number: str, address: str) -> None:
    assert common.address_of(number) == address


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("", 1.0),
        ("soon", 1.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("nan", 1.0),
        ("1e999", 3_600.0),
    ],
)
def test_how_long_to_wait(header: str, wait_s: float) -> None:
    assert common.wait_s(header, 10.0) == wait_s


def test_numbers_do_not_reach_staff_or_logs() -> None:
    assert common.masked("to +4915112345678 and 15551234567: code 63016") == "to … and …: code 63016"
    assert len(common.masked("x" * 1_000)) == common.DETAIL_CHARACTERS
