# ruff: noqa: RUF001 - letters that look like others are what is tested
from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as examples
from hypothesis import strategies as st

from tests.training.made import made
from training.rows import Row, dump
from training.scrub import Scrubber

KEEP = (r"[A-Z]{1,5}-?\d{3,12}(?:-\d{1,6})?",)
REGIONS = ("US", "DE")
KNOWN = {
    "names": ["Ana María Silva"], "emails": ["ana@home"], "phones": ["+4915123456789"],
    "addresses": ["Lindenstr. 12, 10969 Berlin"],
}  # fmt: skip


def scrubbed(**changes: Any) -> Row:
    return Scrubber(REGIONS, KEEP).row(made(**changes))[0]


def test_one_address_has_one_mark_in_every_text_of_a_row() -> None:
    row = scrubbed(
        messages=[
            {"role": "user", "content": "I am at b@example.com"},
            {"role": "assistant", "tool_calls": [{"name": "look", "arguments": {"who": ["B@example.com"], "n": 2}}]},
            {"role": "tool", "content": '{"mail": "b@example.com", "other": "c@example.com"}'},
        ],
        target={"content": "Sent to b@example.com."},
        rejected={"tool_calls": [{"name": "send", "arguments": {"to": "c@example.com", "b@example.com": True}}]},
        sources=[{"id": "s", "title": "c@example.com", "text": "b@example.com"}],
        tools=[{"name": "look", "description": "b@example.com", "parameters": {"enum": ["c@example.com"]}}],
        expect={"answers": ["b@example.com"]}, checks={"must_contain": ["c@example.com"]},
    )  # fmt: skip
    assert row.messages[0].content == "I am at <email-1>"
    assert row.messages[1].tool_calls[0].arguments == {"who": ["<email-1>"], "n": 2}
    assert row.messages[2].content == '{"mail": "<email-1>", "other": "<email-2>"}'
    assert row.target.content == "Sent to <email-1>."
    assert row.rejected is not None
    assert row.rejected.tool_calls[0].arguments == {"to": "<email-2>", "<email-1>": True}
    assert (row.sources[0].title, row.sources[0].text) == ("<email-2>", "<email-1>")
    assert (row.tools[0].description, row.tools[0].parameters) == ("<email-1>", {"enum": ["<email-2>"]})
    assert (row.expect, row.checks) == ({"answers": ["<email-1>"]}, {"must_contain": ["<email-2>"]})


def test_known_contact_data_goes_wherever_it_stands() -> None:
    row = scrubbed(
        known=KNOWN,
        target={"content": "Dear Ana, we send it to Lindenstr. 12 and call 0151 234 567 89; mail ana@home."},
    )
    assert row.target.content == "Dear <name-1>, we send it to <address-1> and call <phone-1>; mail <email-1>."
    assert row.known.names == ()


def test_numbers_in_arguments_count_too() -> None:
    arguments = {"card": 4111111111111111, "amount": 12.5, "yes": True, "none": None}
    row = scrubbed(target={"tool_calls": [{"name": "pay", "arguments": arguments}]})
    assert row.target.tool_calls[0].arguments == arguments | {"card": "<card-1>"}


def test_order_ids_and_the_shops_own_contacts_stay() -> None:
    text = "Order MP-20101 and CC159179819, mail help@shop.example or +49 30 901820"
    row, counts = Scrubber(REGIONS, KEEP, ("help@shop.example", "+49 30 901820")).row(made(target={"content": text}))
    assert row.target.content == text
    assert not counts


def test_marks_that_stand_there_already_are_left_and_numbered_on() -> None:
    row = scrubbed(target={"content": "<email-4> and d@example.com"})
    assert row.target.content == "<email-4> and <email-5>"


def test_ids_that_name_somebody_become_short_digests() -> None:
    row = scrubbed(customer="whatsapp:4915123456789", conversation="telegram:+4915123456789",
                   person="julia@shop.example", message="01J9ZX3K7M2Q4R5S6T7V8W9X0Y", known=KNOWN)  # fmt: skip
    assert all(name.startswith("p-") for name in (row.customer, row.conversation, row.person))
    assert row.message == "01J9ZX3K7M2Q4R5S6T7V8W9X0Y"


def test_a_broken_pattern_is_told() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        Scrubber(keep=("(",))


TEXT = "the lamp is late, order MP-20101 please! and (here) it's 12.50 EUR."
WORDS = st.lists(st.sampled_from(TEXT.split()), max_size=6)
PERSONAL = st.sampled_from((
    "canary.person@mail.example", "Canary.Person@Mail.Example", "+49 30 90182077",
    "4111 1111 1111 1111", "4111111111111111",
    "DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "203.0.113.77",
    "2001:db8::dead:beef", "Zebulon", "zebulon quartz",
    "QUARTZ, Zebulon", "0151/234 567 89", "Birkenweg 77b", "(415) 555-2671",
))  # fmt: skip
ABOUT = {"names": ["Zebulon Quartz"], "emails": [], "phones": ["+4915123456789"], "addresses": ["Birkenweg 77b, Ulm"]}


@st.composite
def planted(draw: st.DrawFn) -> tuple[Row, list[str]]:
    secrets = draw(st.lists(PERSONAL, min_size=1, max_size=4))

    def text() -> str:
        words = [*draw(WORDS), draw(st.sampled_from(secrets)), *draw(WORDS)]
        return " ".join(words)

    row = made(
        messages=[
            {"role": "system", "content": text()}, {"role": "user", "content": text()},
            {"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"a": [text(), {"b": text()}]}}]},
            {"role": "tool", "content": text()},
        ],
        target={"content": text(), "tool_calls": [{"name": "f", "arguments": {"c": text()}}]},
        rejected={"content": text()}, sources=[{"id": "1", "title": text(), "text": text()}], known=ABOUT,
        expect={"answers": [text()]},
    )  # fmt: skip
    return row, secrets


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@examples(planted())
def test_planted_personal_data_is_nowhere_and_scrubbing_again_changes_nothing(found: tuple[Row, list[str]]) -> None:
    row, secrets = found
    scrubber = Scrubber(REGIONS, KEEP)
    clean, counts = scrubber.row(row)
    written = json.dumps(json.loads(dump(clean)), ensure_ascii=False).lower()
    assert counts
    for secret in secrets:
        assert secret.lower() not in written
    assert scrubber.row(clean) == (clean, {})


@settings(max_examples=100)
@examples(st.text(alphabet=string.printable + "äéß王م٤４＠", max_size=120))
def test_any_text_is_scrubbed_to_a_fixed_point(text: str) -> None:
    scrubber = Scrubber(REGIONS, KEEP)
    once = scrubber.row(made(target={"content": f"x {text}"}))[0]
    assert scrubber.row(once)[0] == once
