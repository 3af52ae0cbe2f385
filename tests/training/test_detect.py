# ruff: noqa: RUF001 - letters that look like others are what is tested
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import detect

REGIONS = ("US", "GB", "DE", "ES")
PARTS = (
    "Part number 555-0123-44", "part no. 4155552671", "SKU 4006381333931", "article 2125551234", "#4155552671",
    "ISBN 9783161484100", "order number: 4155552671", "AB-4155552671", "4155552671-X", "X4155552671", "lot 20261121",
    "Artikelnummer 0301234567", "Bestellnummer: 0301234567", "serial no 2025550143", "model 030-901820-A",
    "2026-11-21 10:30", "10:30:00", "from 12.11.2026 to 14.11.2026", "$1,234.50", "1 250 000 EUR", "60x120x200 cm",
    "tracking number is 2025550143", "IP67", "1.2.3", "ratio 3:2", "EN 60598-1:2021", "pedido n.º 915555555",
)  # fmt: skip


def kinds(text: str) -> list[str]:
    shadow = detect.shadow(detect.visible(text))
    found = [*detect.emails(shadow), *detect.cards(shadow), *detect.ibans(shadow), *detect.addresses(shadow)]
    return sorted(one.kind for one in [*found, *detect.phones(shadow, REGIONS)])


@pytest.mark.parametrize("text", PARTS)
def test_numbers_of_things_are_no_personal_data(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ana.silva+shop@mail.example.com", "email"), ("ANA@EXAMPLE.ORG.", "email"),
        ("ana (at) example (dot) com", "email"),
        ("ana%40example.com", "email"), ("an\u200ba@example.com", "email"), ("ana＠example．com", "email"),
        ("jürgen@müller.de", "email"), ("+49 30 901820", "phone"), ("030/901820", "phone"), ("(415) 555-2671", "phone"),
        ("phone 4155552671", "phone"), ("００４９ ３０ ９０１８２０".replace("００", "+", 1), "phone"),
        ("4111 1111 1111 1111", "card"), ("378282246310005", "card"), ("5555-5555-5555-4444", "card"),
        ("４１１１１１１１１１１１１１１１", "card"),
        ("DE89 3704 0044 0532 0130 00", "iban"), ("gb82west12345698765432", "iban"),
        ("192.168.1.20", "ip"), ("2001:db8::8a2e:370:7334", "ip"), ("fe80::1ff:fe23:4567:890a", "ip"),
    ],
)  # fmt: skip
def test_personal_data_is_found_however_it_is_written(text: str, kind: str) -> None:
    assert kinds(f"It is {text} as I said") == [kind]


@pytest.mark.parametrize(
    "text", ["4111 1111 1111 1112", "DE88 3704 0044 0532 0130 00", "999.1.1.1", "std::vector", "a@b", "@example.com"]
)
def test_wrong_checksums_and_other_signs_are_left_alone(text: str) -> None:
    assert kinds(text) == []


def test_an_iban_ends_where_its_country_says() -> None:
    (found,) = detect.ibans("pay DE89 3704 0044 0532 0130 00 please")
    assert found.value == "DE89370400440532013000"


@given(st.text())
def test_the_shadow_keeps_every_position(text: str) -> None:
    assert len(detect.shadow(text)) == len(text)


@given(st.from_regex(r"[0-9]{13,18}", fullmatch=True))
def test_luhn_accepts_exactly_one_check_digit(digits: str) -> None:
    assert sum(detect.luhn(digits + str(last)) for last in range(10)) == 1


def test_an_endless_text_is_read_in_time() -> None:
    for text in ("a" * 20000, "1 " * 10000, "a@" * 10000, "1:" * 10000, "DE89" * 5000, "." * 20000):
        assert isinstance(kinds(text), list)
