"""Where corrections belong: a table of cases, and what holds of every one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.router import FACTS, Case, Source, Suggestion, bare, propose, suggest

RETURNS = Source(
    "p1", "d1", "Returns", "# Returns\n\nLamps can be returned within 30 days after delivery. The return is free."
)
SHIPPING = Source(
    "p2", "d2", "Shipping", "| Country | Price |\n| --- | --- |\n| Austria | 9.90 euro |\n| France | 12 euro |"
)
FRANCE = Source("p3", "d3", "Countries", "We ship to France and Spain. Parcels leave on Mondays.")
ASKED = "Can I return a lamp?"
SAID = "Lamps can be returned within 30 days after delivery. [1]"


def case(answer: str, edited: str, *passages: Source, question: str = ASKED, **more: object) -> Case:
    return Case(question, answer, edited, passages, **more)  # type: ignore[arg-type]


TABLE: dict[str, tuple[Case, str, str]] = {
    "another figure than the passage": (
        case(SAID, "Lamps can be returned within 45 days after delivery.", RETURNS), "fact", "contradicts"),
    "a figure no passage has": (
        case("I do not know.", "The shop has been open since 1987.", question="How old are you?"), "fact", "figures"),
    "a price in a table": (
        case("Shipping to Austria costs 9.90 euro.", "Shipping to Austria has the price of 8.50 euro.", SHIPPING,
             question="What does shipping to Austria cost?"), "fact", "figures"),
    "a figure in words": (
        case("You get it in two days.", "You get it in five days.", question="When?"), "fact", "figures"),
    "an address": (
        case("Write to us.", "Write to returns@shop.example please.", question="Where?"), "fact", "figures"),
    "a name": (
        case("A carrier brings the parcel to you.", "Our carrier Hermes brings the parcel to you.", question="Who?"),
        "fact", "names"),
    "the opposite": (
        case("We ship to France.", "We do not ship to France.", FRANCE, question="Do you ship there?"),
        "fact", "negated"),
    "the opposite in German": (
        case("Wir liefern nach Frankreich.", "Wir liefern nicht nach Frankreich.", question="Liefern Sie?",
             language="de"), "fact", "negated"),
    "something new without figures": (
        case("Please ask the carrier.", "Damaged parcels get replaced after sending photographs.",
             question="It is broken."), "fact", "unsupported"),
    "what a passage says is taken out": (
        case(f"{SAID} The return is free.", SAID, RETURNS), "fact", "taken_out"),
    "the same facts, friendlier": (
        case(SAID, "Of course! You're very welcome to return lamps within 30 days after delivery.", RETURNS,
             reason="tone"), "behaviour", "tone"),
    "an apology": (
        case("The lamp can be repaired.", "We are so sorry about the trouble! The lamp can be repaired.",
             question="My lamp is broken", reason="tone"), "behaviour", "longer"),
    "shorter": (
        case("Lamps can be returned. You can do so within 30 days after delivery. The return is free.",
             "Lamps can be returned within 30 days.", RETURNS, reason="tone"), "behaviour", "shorter"),
    "without what no passage says": (
        case(f"{SAID} Also try our wonderful vacuum cleaners from Italy this week.", SAID, RETURNS,
             reason="other"), "behaviour", "left_out"),
    "a signature": (
        case(SAID, f"{SAID}\n\nBest regards,\nAna Keller", RETURNS), "behaviour", "signature"),
    "a greeting and a signature": (
        case(SAID, f"Hello Marta,\n\n{SAID}\n\nKind regards\nYour Brighton Team", RETURNS), "behaviour", "signature"),
    "as a list": (
        case("Lamps can be returned. The return is free.", "- Lamps can be returned.\n- The return is free.", RETURNS,
             reason="format"), "behaviour", "format"),
    "a passage said it already": (
        case("I could not find that.", "Lamps can be returned within 30 days after delivery.", RETURNS,
             question="Can I send it back?"), "behaviour", "passage_says_it"),
    "tools": (case("Sure.", "", calls=True, reason="tool"), "behaviour", "tools"),
    "German nouns are no names": (
        case("Die Lampe kann zurück.", "Gerne, die Lampe kann zurück.", question="Kann die Lampe zurück?",
             language="de", reason="tone"), "behaviour", "tone"),
    "numbers written out": (
        case("It takes 3 days.", "It takes three days.", question="How long?", reason="format"), "behaviour", "tone"),
    "a marker gone": (case(SAID, SAID.removesuffix(" [1]"), RETURNS, reason="format"), "behaviour", "tone"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_each_case_goes_where_a_person_would_send_it(name: str) -> None:
    given_case, route, why = TABLE[name]
    found = suggest(given_case)
    assert (found.route, why in found.why) == (route, True), found


def test_a_contradicted_passage_is_edited_in_its_own_words() -> None:
    found = suggest(TABLE["another figure than the passage"][0]).proposal
    assert found is not None
    assert (found.kind, found.document_id, found.passage_id) == ("edit", "d1", "p1")
    assert found.before == "Lamps can be returned within 30 days after delivery."
    assert found.after == "Lamps can be returned within 45 days after delivery."


def test_the_opposite_takes_the_sentences_place() -> None:
    found = suggest(TABLE["the opposite"][0]).proposal
    assert found is not None
    assert (found.before, found.after) == ("We ship to France and Spain.", "We do not ship to France.")


def test_a_table_row_gets_its_figure_and_nothing_else() -> None:
    found = suggest(TABLE["a price in a table"][0]).proposal
    assert found is not None
    assert found.kind == "create" or (found.before, found.after) == (
        "| Austria | 9.90 euro |",
        "| Austria | 8.50 euro |",
    )


def test_what_nobody_wrote_down_becomes_an_entry_of_its_own() -> None:
    found = suggest(
        case("I do not know.", "Hello!\nWe open at 9:30.\n\nBest regards\nAna", question="When do you  open?")
    )
    assert found.proposal is not None
    assert (found.proposal.kind, found.proposal.title, found.proposal.after) == (
        "create", "When do you open?", "We open at 9:30.",
    )  # fmt: skip


def test_what_is_taken_out_leaves_the_passage() -> None:
    found = suggest(TABLE["what a passage says is taken out"][0]).proposal
    assert found is not None
    assert (found.kind, found.before, found.after) == ("edit", "The return is free.", "")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Dear Ana,\nyes.\n\nYours sincerely\nBob", "yes."),
        ("Hallo Marta! Ja.\nViele Grüße\nAna", "Ja."),
        ("Yes. — Ana", "Yes."),
        ("High prices.", "High prices."),
        ("", ""),
    ],
)
def test_greetings_and_signatures_are_no_content(text: str, left: str) -> None:
    assert bare(text) == left


TEXTS = st.text(alphabet=st.sampled_from("abc DEF 0123 .,!?\n-*|[]()#€üß'"), max_size=80)
SOURCES = st.builds(Source, st.just("p"), st.just("d"), TEXTS, TEXTS)
CASES = st.builds(
    Case, TEXTS, TEXTS, TEXTS, st.lists(SOURCES, max_size=3).map(tuple),
    st.sampled_from(["wrong", "tone", "other"]), st.booleans(), st.sampled_from(["en", "de"]),
)  # fmt: skip


@settings(max_examples=300)
@given(CASES)
def test_there_is_always_one_way_and_a_reason(one: Case) -> None:
    found: Suggestion = suggest(one)
    assert found.why
    assert found == suggest(one)
    assert (found.route == "fact") == bool(FACTS & set(found.why)) == (found.proposal is not None)
    if found.proposal is not None and found.proposal.kind == "edit":
        assert any(found.proposal.before in each.text for each in one.passages)


@settings(max_examples=100)
@given(CASES)
def test_the_same_answer_is_never_a_new_fact(one: Case) -> None:
    same = Case(one.question, one.answer, one.answer, one.passages, one.reason)
    assert suggest(same).route == "behaviour"
    assert propose(same).kind in {"create", "edit"}


@settings(max_examples=100)
@given(st.integers(min_value=100, max_value=99_999))
def test_a_number_nobody_knew_is_a_fact(number: int) -> None:
    found = suggest(
        case("It depends on the model.", f"It weighs {number} grams.", RETURNS, question="What does it weigh?")
    )
    assert found.route == "fact"
    assert "figures" in found.why
