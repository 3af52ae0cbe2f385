from tests.training.subjects import row
from training.slices import cut, length, names, question


def test_a_row_belongs_to_a_slice_of_every_dimension() -> None:
    found = names("heldout", row("a", "grounded", "How much is it?", tenant="shop"))
    assert found == [
        "language:en",
        "channel:web",
        "tenant:shop",
        "behaviour:grounded",
        "origin:correction",
        "length:short",
        "suite:heldout",
    ]


def test_length_is_the_customers_last_message() -> None:
    assert length(row("a", "chat", "word " * 9)) == "medium"
    assert length(row("a", "chat", "word " * 31)) == "long"
    assert question({"messages": [{"role": "system", "content": "x"}]}) == ""


def test_places_of_a_slice_keep_their_order() -> None:
    rows = [
        ("heldout", row("a", "chat", "hi")),
        ("general", row("b", "general", "hi")),
        ("heldout", row("c", "chat", "x")),
    ]
    found = cut(rows)
    assert found["suite:heldout"] == [0, 2]
    assert found["language:en"] == [0, 1, 2]
