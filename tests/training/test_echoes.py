import pytest

from training.echoes import echoed, personal


@pytest.mark.parametrize(
    "text",
    [
        "harriet.cole@letters.org",
        "+353 87 123 4567",
        "0171 2345678",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
    ],
)
def test_personal_data_is_found(text: str) -> None:
    assert personal(f"Write to {text}, please.")
    assert echoed(f"Write to {text}.", ["Who is it?"])


@pytest.mark.parametrize(
    "text",
    [
        "MP-20349",
        "€5.90",
        "140 x 180 cm",
        "2026-11-21",
        "10:00-17:00",
        "4111 1111 1111 1112",
        "support@shop.com",
        "me@shop.example",
    ],
)
def test_figures_of_a_shop_are_not_personal(text: str) -> None:
    assert not personal(f"It is {text}, see there.")


def test_what_the_prompt_says_may_be_said_again() -> None:
    assert not echoed("Call +353871234567.", ["our number: +353 87 123 4567"])


def test_recorded_data_of_the_customer_is_looked_for_by_name() -> None:
    known = {"names": ["Harriet Cole", "Bo"], "emails": [], "phones": [], "addresses": ["4 Weir Lane"]}
    assert echoed("Dear HARRIET COLE of 4 Weir Lane", ["hello"], known) == ["Harriet Cole", "4 Weir Lane"]
    assert not echoed("Bo", ["hello"], known)
