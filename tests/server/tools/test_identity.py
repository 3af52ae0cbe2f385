"""Nobody else's data: who a personal tool is about is never decided by arguments."""

from __future__ import annotations

from typing import Any

import pytest

from server.tools.contract import ToolRefused
from server.tools.identity import bind, names_customer, split_identity, without_identity
from tests.server.tools.bench import caller

PARAMETERS = {
    "type": "object",
    "properties": {
        "customer_id": {"type": "string"},
        "email": {"type": "string"},
        "order": {"type": "string"},
    },
    "required": ["customer_id", "order"],
}
KNOWN = caller(subject="cust-7", contact="ada@example.org")


def test_the_model_does_not_see_who_the_customer_is() -> None:
    shown = without_identity(PARAMETERS)
    assert shown["properties"].keys() == {"order"}
    assert shown["required"] == ["order"]
    assert names_customer(PARAMETERS)
    assert not names_customer({"properties": {"order": {}, "email": {}}}), "an address may be the customer's to tell"


def test_the_caller_is_put_in_place() -> None:
    bound = bind({"order": "1042"}, PARAMETERS, KNOWN)
    assert bound == {"order": "1042", "customer_id": "cust-7", "email": "ada@example.org"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"customer_id": "CUST-7 "},
        {"CustomerID": "cust-7"},
        {"email": "Ada@Example.org"},
        {"customer": "k1"},
        {"customer_id": None},
        {"customer_id": ""},
    ],
)
def test_the_callers_own_identity_may_be_repeated(arguments: dict[str, Any]) -> None:
    assert bind({"order": "1", **arguments}, PARAMETERS, KNOWN)["customer_id"] == "cust-7"


@pytest.mark.parametrize(
    "arguments",
    [
        {"customer_id": "cust-8"},
        {"customerId": "cust-8"},
        {"Customer-Number": 8},
        {"email": "bob@example.org"},
        {"filter": {"customer_id": "cust-8"}},
        {"filters": [{"any": {"of": [{"customer_id": ["cust-7", "cust-8"]}]}}]},
        {"phone": "+49 151 1"},
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": {"k": {"l": {"m": {"n": 1}}}}}}}}}}}}}},
    ],
)
def test_another_identity_is_refused_at_any_depth(arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolRefused, match="another customer"):
        bind({"order": "1", **arguments}, PARAMETERS, KNOWN)


def test_without_an_address_on_file_a_tool_that_needs_one_is_refused() -> None:
    needs = {"properties": {"email": {}}, "required": ["email"]}
    with pytest.raises(ToolRefused, match="on file"):
        bind({}, needs, caller(subject="cust-7"))
    assert bind({}, {"properties": {"email": {}}}, caller(subject="cust-7")) == {}


def test_arguments_come_apart() -> None:
    assert split_identity({"order": "1", "customer_id": "x"}) == ({"order": "1"}, {"customer_id": "x"})
