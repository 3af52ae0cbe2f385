from typing import Any

import pytest

from training.checks import failed, faults

CALL = [{"name": "order_status", "arguments": {}}]


@pytest.mark.parametrize(
    ("checks", "passes", "fails"),
    [
        ({"must_contain": ["Größe", ["red", "blue"]]}, "Die GRÖSSE in blue", "Die Größe in green"),
        ({"must_not_contain": ["secret"]}, "nothing", "a Secret thing"),
        ({"must_match": [r"regards$"]}, "Kind regards", "regards to all"),
        ({"must_not_match": [r"!"]}, "Hello.", "Hello!"),
        ({"number": 12}, "3 times 4 is 12.", "It is 12, or 13."),
        ({"number": 1200.5}, "It is 1,200.5", "1,2"),
        ({"language": "de"}, "Das ist leider nicht da.", "That is not in the shop."),
        ({"max_words": 3}, "one two three", "one two three four"),
        ({"refuses": True}, "I do not know.", "Five euros."),
        ({"refuses": False}, "Five euros.", "I do not know."),
        ({"asks": True}, "Which order?", "Tell me."),
        ({"cites": [1, 2]}, "Yes [2].", "Yes [3]."),
        ({"cites": [1]}, "Yes [1].", "Yes."),
        ({"no_echo": ["tulip-9931"]}, "I will not.", "Tulip-9931"),
    ],
)
def test_every_check_tells_right_from_wrong(checks: dict[str, Any], passes: str, fails: str) -> None:
    assert failed(checks, passes, []) == []
    assert failed(checks, fails, []) == list(checks)
    assert not faults(checks)


def test_calls_are_checked_by_name_or_absence() -> None:
    assert not failed({"calls": "order_status"}, "", CALL)
    assert failed({"calls": "book"}, "", CALL)
    assert failed({"calls": False}, "", CALL)
    assert not failed({"calls": False}, "Hello", [])


def test_saying_nothing_passes_nothing() -> None:
    assert failed({"must_not_contain": ["x"]}, " ", []) == ["must_not_contain"]


def test_what_cannot_be_checked_is_said() -> None:
    assert "unknown check 'colour'" in faults({"colour": "red"})[0]
    assert "no regular expression" in faults({"must_match": ["("]})[0]
