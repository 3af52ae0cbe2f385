"""Arguments as models write them: what is repaired, what is refused and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tools.contract import ToolRefused
from server.tools.schema import MAX_CHARACTERS, Schema, brief, canonical, digest, read

ORDER = {
    "type": "object",
    "properties": {
        "order": {"type": "string", "minLength": 1},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "weight": {"type": "number"},
        "gift": {"type": "boolean"},
        "day": {"type": "string", "format": "date"},
        "speed": {"enum": ["normal", "express"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
    },
    "required": ["order"],
    "$defs": {
        "Part": {"type": "object", "properties": {"sku": {"type": "string"}, "n": {"type": "integer"}}},
    },
}


@pytest.mark.parametrize(
    ("written", "checked"),
    [
        ({"order": 1042}, {"order": "1042"}),
        ({"order": "1", "count": "3"}, {"order": "1", "count": 3}),
        ({"order": "1", "count": 3.0}, {"order": "1", "count": 3}),
        ({"order": "1", "weight": "2.5"}, {"order": "1", "weight": 2.5}),
        ({"order": "1", "gift": "true"}, {"order": "1", "gift": True}),
        ({"order": "1", "speed": "Express"}, {"order": "1", "speed": "express"}),
        ({"order": "1", "count": None}, {"order": "1"}),
        ({"order": "1", "note": None}, {"order": "1", "note": None}),
        ({"order": "1", "parts": [{"n": "2"}]}, {"order": "1", "parts": [{"n": 2}]}),
    ],
)
def test_harmless_differences_are_repaired(written: dict[str, Any], checked: dict[str, Any]) -> None:
    assert Schema(ORDER).check(written) == checked
    assert Schema(ORDER).fits(json.dumps(checked))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({}, "order is missing"),
        ({"order": "1", "colour": "red"}, "colour is not an argument of this tool"),
        ({"order": "1", "count": "three"}, "count must be integer"),
        ({"order": "1", "count": 10}, "count must be at most 9"),
        ({"order": "1", "count": 2.5}, "count must be integer"),
        ({"order": "1", "gift": "perhaps"}, "gift must be boolean"),
        ({"order": "1", "day": "tomorrow"}, "day must be a valid date"),
        ({"order": "1", "speed": "slow"}, "speed must be one of normal, express"),
        ({"order": "1", "parts": [{"n": "two"}]}, "parts.0.n must be integer"),
        ({"order": True}, "order must be string"),
    ],
)
def test_what_does_not_fit_is_refused_in_words_without_the_value(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolRefused) as refused:
        Schema(ORDER).check(written)
    assert str(refused.value) == words
    assert not Schema(ORDER).fits(json.dumps(written))


@pytest.mark.parametrize("text", ["[1]", "{", "nonsense", '{"a": NaN}', "1", "[" * 50_000, " " * (MAX_CHARACTERS + 1)])
def test_a_text_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ToolRefused):
        read(text)


def test_no_text_is_no_arguments_and_hostile_characters_survive_a_store() -> None:
    assert read("") == {}
    assert read('{"a": "x\\ud800y\\u0000"}') == {"a": "x�y�"}


def test_a_schema_never_fetches_an_address() -> None:
    remote = Schema({"properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}})
    with pytest.raises(ToolRefused, match="schema of this tool"):
        remote.check({"a": 1})


def test_a_schema_that_allows_more_keeps_doing_so() -> None:
    assert Schema({"properties": {}, "additionalProperties": True}).check({"b": 1}) == {"b": 1}


def test_a_schema_that_says_nothing_takes_nothing() -> None:
    assert Schema({}).check({}) == {}
    with pytest.raises(ToolRefused, match="b is not an argument"):
        Schema({}).check({"b": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=5))
def test_equal_arguments_have_one_text_that_outlives_a_store(arguments: dict[str, Any]) -> None:
    turned = dict(reversed(list(arguments.items())))
    assert canonical(arguments) == canonical(turned)
    stored = read(json.dumps(arguments))
    assert json.loads(canonical(stored)) == stored
    assert digest("refund", stored, "c1") == digest("refund", read(canonical(stored)), "c1")
    assert digest("refund", stored, "c1") != digest("refund", stored, "c2")


@given(st.dictionaries(st.sampled_from([*ORDER["properties"], "other"]), JSON, max_size=6))
def test_whatever_is_written_either_fits_afterwards_or_is_refused(arguments: dict[str, Any]) -> None:
    schema = Schema(ORDER)
    try:
        checked = schema.check(arguments)
    except ToolRefused:
        return
    assert schema.problem(checked) == ""


@pytest.mark.parametrize("entry", [{"type": "text"}, {"pattern": "("}, {"minimum": "one"}])
def test_a_schema_that_is_none_refuses_every_call(entry: dict[str, Any]) -> None:
    with pytest.raises(ToolRefused, match="schema of this tool"):
        Schema({"properties": {"a": entry}}).check({"a": "x"})


def test_free_texts_share_the_characters_of_a_call() -> None:
    free = {"maxLength": 1_000, "type": "string"}
    properties = {
        "summary": free,
        "action": {**free, "minLength": 3},
        "name": {"type": "string", "maxLength": 40},
        "day": {"type": "string", "pattern": "^[0-9]{4}$"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "count": {"type": "integer"},
    }
    shorter = brief({"type": "object", "properties": properties, "required": ["summary"]}, 300)
    assert shorter["required"] == ["summary"]
    assert list(shorter["properties"]) == list(properties)
    lengths = {name: entry.get("maxLength") for name, entry in shorter["properties"].items()}
    assert lengths == {"summary": 100, "action": 100, "name": 40, "day": None, "kind": None, "count": None}
    assert properties["summary"]["maxLength"] == 1_000, "the tool's own schema stays"


def test_what_fits_the_short_form_fits_the_tool() -> None:
    long = {"properties": {"note": {"type": "string", "minLength": 50}, "other": {"type": "string", "maxLength": 5}}}
    shorter = brief(long, 20)
    assert shorter["properties"] == {
        "note": {"type": "string", "minLength": 50, "maxLength": 50},
        "other": {"type": "string", "maxLength": 5},
    }
    assert Schema(long).problem({"note": "x" * 50, "other": "12345"}) == ""
    assert brief({"type": "object"}, 20) == {"type": "object", "properties": {}}
