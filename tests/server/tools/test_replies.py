"""Finished sentences."""

from __future__ import annotations

from datetime import date

from server.tools.replies import choices, day_text, money, order_text, people_text, say, spoken

ORDER = {"number": "MP-1", "status": "shipped", "total_cents": 8_190, "expected_on": "2026-11-04", "delivered_on": None,
         "carrier": "Corrib Couriers", "tracking": "CC1", "note": None}  # fmt: skip


def test_a_language_without_a_catalogue_gets_english() -> None:
    assert (spoken("de-AT"), spoken("ES"), spoken("ar"), spoken("")) == ("de", "es", "en", "en")
    assert say("no", "fr") == "No"


def test_days_and_amounts_in_each_language() -> None:
    day = date(2026, 11, 11)
    assert day_text(day, "en") == "Wednesday 11 November"
    assert day_text(day, "de") == "Mittwoch, 11. November"
    assert day_text(day, "es") == "miércoles 11 de noviembre"
    assert (money(8_190, "en"), money(8_105, "de"), money(5, "es")) == ("€81.90", "81,05 €", "0,05 €")
    assert (people_text(0, "en"), people_text(1, "en"), people_text(3, "de")) == (
        "",
        " for one person",
        " für 3 Personen",
    )


def test_orders() -> None:
    assert order_text(ORDER, "en") == (
        "Order MP-1 is on its way. Expected on Wednesday 4 November. Corrib Couriers, tracking number CC1."
    )
    assert order_text(ORDER | {"status": "frozen in ice"}, "en").startswith(
        "The state of order MP-1 is “frozen in ice”."
    )
    assert "81,90 €" in order_text(ORDER | {"status": "waiting for payment"}, "de")


def test_choices_are_numbered() -> None:
    assert choices([("2026-11-04", "14:30"), ("2026-11-11", "10:30")], "en") == (
        "1. Wednesday 4 November, 14:30\n2. Wednesday 11 November, 10:30"
    )
