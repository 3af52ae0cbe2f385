from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.knowledge.sentences import MOST_CHARS, plain, split

TEXT = """Every order leaves within two days. Parcels go by van, e.g. from Galway.

| Destination | Price |
|---|---|
| Ireland | €5.90 |
| Great Britain | €12.50 |

- **Express** is offered on weekdays
- See [our page](https://shop.example/a_b)
"""


def test_sentences_rows_and_points():
    assert split(TEXT) == [
        "Every order leaves within two days.",
        "Parcels go by van, e.g. from Galway.",
        "Destination: Ireland; Price: €5.90",
        "Destination: Great Britain; Price: €12.50",
        "Express is offered on weekdays",
        "See our page",
    ]


def test_a_table_without_names():
    assert split("| | |\n|---|---|\n| Height | 158 cm |") == ["Height; 158 cm"]


@given(st.text(max_size=400))
def test_any_text(text: str):
    pieces = split(text)
    assert all(piece.strip() and len(piece) <= MOST_CHARS for piece in pieces)
    assert all(piece == " ".join(piece.split()) for piece in pieces)


def test_long_sentences_are_cut():
    assert len(split("word " * 500)) > 1


def test_marks_go():
    assert plain("**a** _b_ `c` snake_case 2*3") == "a b c snake_case 2*3"


def test_emphasis_is_no_point_of_a_list():
    assert split("**Tell me when it is back** sends an e-mail.") == ["Tell me when it is back sends an e-mail."]
    assert split("***Back-order*** means the next run, 2 * 3 weeks.") == ["Back-order means the next run, 2 * 3 weeks."]
    assert split("It comes by 10. November") == ["It comes by 10.", "November"]


def test_a_heading_in_the_text_is_no_sentence():
    assert split("**Care > Stains**\n\nDry cleaning only.") == ["Dry cleaning only."]
