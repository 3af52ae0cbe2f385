# ruff: noqa: RUF001 - letters that look like others are what is tested
from __future__ import annotations

import random

from tests.training.made import asking, made, topic
from training.clusters import Groups, alike, answered, asked, clusters, normal, pieces
from training.rows import Row, changed

QUESTION, TARGET = 0.7, 0.6


def joined(one: Row, other: Row) -> bool:
    first, second = clusters([one, other], QUESTION, TARGET)
    return first == second


def test_a_reworded_copy_is_found() -> None:
    one = asking("Where is my order, it should have come on Monday?", "It comes tomorrow [1].")
    other = asking("where is my order - it should have come on monday??", "It comes tomorrow [2].", number=1)
    assert joined(one, other)


def test_the_same_refusal_does_not_join_different_questions() -> None:
    sorry = "I could not find an answer to that in our documents. I can pass your question on to a person."
    assert not joined(asking(topic(0)[0], sorry), asking(topic(40)[0], sorry, number=1))


def test_the_same_question_with_different_answers_is_no_duplicate() -> None:
    question = "Does this hotel have free wireless internet?"
    assert not joined(
        asking(question, "Yes, in all rooms."), asking(question, "Only at the desk, for 5 EUR.", number=1)
    )


def test_a_short_yes_is_read_with_what_it_answers() -> None:
    def answering(number: int, offer: str) -> Row:
        said = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": offer},
            {"role": "user", "content": "yes"},
        ]
        return made(number, messages=said, target={"content": "Done."})

    assert not joined(
        answering(0, "Shall I cancel order MP-20101 now?"), answering(1, "Do you want a table for two tonight?")
    )
    assert joined(
        answering(0, "Shall I cancel order MP-20101 now?"), answering(1, "Shall I cancel order MP-20101 now ?")
    )


def test_order_does_not_matter_and_names_are_the_smallest() -> None:
    rows = [made(number) for number in range(60)]
    copies = [(row, number) for number, row in enumerate(rows[:20])]
    rows += [changed(row, id=f"row-{200 + number:05}") for row, number in copies]
    expected = dict(zip((row.id for row in rows), clusters(rows, QUESTION, TARGET), strict=True))
    shuffled = random.Random(3).sample(rows, len(rows))
    assert dict(zip((row.id for row in shuffled), clusters(shuffled, QUESTION, TARGET), strict=True)) == expected
    assert expected["row-00205"] == expected["row-00005"] == "row-00005"


def test_ten_thousand_same_answers_are_compared_once() -> None:
    rows = [asking("It is all fine, thank you very much!", number=number) for number in range(3000)]
    assert len(set(clusters(rows, QUESTION, TARGET))) == 1


def test_nothing_has_no_clusters() -> None:
    assert clusters([], QUESTION, TARGET) == []


def test_calls_are_compared_by_name_and_arguments() -> None:
    one = made(target={"tool_calls": [{"name": "find", "arguments": {"b": 1, "a": 2}}]})
    other = made(target={"tool_calls": [{"name": "find", "arguments": {"a": 2, "b": 1}}]})
    assert answered(one.target) == answered(other.target)


def test_texts_are_normal() -> None:
    assert normal("  Hello,   <email-3> [12] ＷＯＲＬＤ!") == "hello <email> world"
    assert asked(asking("ok")) == "ok"
    assert pieces("ab") == {"ab"}
    assert alike(pieces("abcdef"), pieces("abcdef")) == 1


def test_groups_are_named_by_their_smallest_member() -> None:
    groups = Groups()
    groups.join("c", "b")
    groups.join("d", "c")
    groups.join("a", "d")
    assert {groups.find(name) for name in "abcd"} == {"a"}
