"""Lines that name approved messages."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.accounts import WhatsAppAccount
from config.approved import Approved, approved

READY = "order_ready en_US: Hello {{1}}, order {{ 2 }} is ready, {{1}}."


def test_a_line_has_a_name_a_language_and_words() -> None:
    found = approved(f"  {READY} ")
    assert (found.key, found.language, found.variables) == ("order_ready", "en_US", 2)
    assert found.filled(["Ana", "{{1}}"]) == "Hello Ana, order {{1}} is ready, Ana."
    assert approved("HX0123456789abcdef de: Guten Tag!").filled([]) == "Guten Tag!"


@pytest.mark.parametrize(
    "line", ["", "order_ready: Hello", "order_ready en", "two words en: Hi", "x en: {{2}}", "x en: {{name}}"]
)
def test_other_lines_are_refused_with_what_is_meant(line: str) -> None:
    with pytest.raises(ValueError, match=r"is not like|must be numbered"):
        approved(line)


def test_an_account_offers_its_lines_and_the_one_it_sends_by_itself() -> None:
    assert WhatsAppAccount().offered == ()
    meta = WhatsAppAccount(provider="meta", template_name="come_back", template_language="de", templates=(READY,))
    assert meta.offered == (approved(READY), Approved("come_back", "de", ""))
    twilio = WhatsAppAccount(template_sid="HX1", templates=("HX1 en: Please write to us.",))
    assert twilio.offered == (Approved("HX1", "en", "Please write to us."),)


def test_a_template_stands_there_once_in_each_language() -> None:
    assert len(WhatsAppAccount(templates=("a en: Hi", "a de: Hallo")).offered) == 2
    with pytest.raises(ValidationError, match="twice"):
        WhatsAppAccount(templates=("a en: Hi", "a en: Hello"))
