"""What staff see of contact data."""

from __future__ import annotations

from typing import Any

import pytest

from server.conversation import NotFound
from server.customers import masking


def identity(**more: Any) -> dict[str, Any]:
    return {"id": "i1", "channel": "whatsapp", "address": "+353871234589", "verified": 1, "profile": "{}"} | more


@pytest.mark.parametrize(
    ("clear", "shown"),
    [("nora@mail.example", "n…@mail.example"), ("+353871234589", "…89"), ("1234", "…"), ("@host", "…st"), ("", "…")],
)
def test_contact_data_is_recognised_by_its_owner_only(clear: str, shown: str) -> None:
    assert masking.masked(clear) == shown


def test_language_is_shown_and_addresses_are_not() -> None:
    values = masking.values_of(identity(profile='{"locale": "de", "email": "nora@mail.example", "wa_id": "353871234"}'))
    assert [(one.name, one.text, one.field) for one in values] == [
        ("address", "…89", "i1/address"),
        ("email", "n…@mail.example", "i1/profile.email"),
        ("locale", "de", ""),
        ("wa_id", "…34", "i1/profile.wa_id"),
    ]


def test_one_field_is_revealed_and_nothing_else() -> None:
    rows = {"i1": identity(profile='{"email": "nora@mail.example"}')}
    assert masking.reveal(rows, "i1/address") == "+353871234589"
    assert masking.reveal(rows, "i1/profile.email") == "nora@mail.example"
    for field in ("i2/address", "i1/profile", "i1/profile.phone", "i1/customer_id", "address", ""):
        with pytest.raises(NotFound):
            masking.reveal(rows, field)


def test_only_the_sites_owner_proves_a_customer() -> None:
    assert masking.proven(identity()) == ""
    assert masking.proven(identity(channel="web", address="user:77")) == "77"
    assert masking.proven(identity(channel="web", address="user:77", verified=0)) == ""
    assert masking.proven(identity(channel="web", address="visitor")) == ""


@pytest.mark.parametrize("profile", ["", "[]", "no json", "null"])
def test_an_odd_profile_is_none(profile: str) -> None:
    assert masking.profile_of(identity(profile=profile)) == {}
