"""Which approved message somebody chose, checked against those of the account."""

from __future__ import annotations

import pytest

from server.conversation import Refused
from server.desk.templates import Picked, body_of, words
from tests.server.desk_parts.test_places import places

READY = Picked("order_ready", "en", ("Luis", "#1042"))


def test_the_words_are_those_of_the_account_with_the_values_in_them() -> None:
    assert words(places, "whatsapp", "default", READY) == "Hello Luis, your order #1042 is ready."
    assert words(places, "whatsapp", "default", Picked("HX0123", "en")) == "HX0123"
    assert body_of(READY) == {
        "template": {"key": "order_ready", "language": "en", "values": ["Luis", "#1042"]},
    }


@pytest.mark.parametrize("picked", [Picked("other", "en"), Picked("order_ready", "de", ("a", "b"))])
def test_others_are_refused(picked: Picked) -> None:
    with pytest.raises(Refused, match="not among those"):
        words(places, "whatsapp", "default", picked)


def test_every_variable_takes_a_value_and_the_web_chat_takes_no_template() -> None:
    with pytest.raises(Refused, match="takes 2 values, not 1"):
        words(places, "whatsapp", "default", Picked("order_ready", "en", ("Luis",)))
    for channel in ("web", "slack", "telegram"):
        with pytest.raises(Refused, match="not among those"):
            words(places, channel, "default", READY)
