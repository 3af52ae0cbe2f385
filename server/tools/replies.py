"""Finished sentences for customers, so that the answer of a tool needs no model to phrase it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from server.tools.phrases import DETAILS, FALLBACK, MONTHS, STATES, TEXTS, WEEKDAYS
from server.tools.slots import Service, Vocabulary

CENTS = 100


def spoken(language: str) -> str:
    """The language the sentences will be in: the customer's, or English where there is no catalogue."""
    short = language.partition("-")[0].lower()
    return short if short in TEXTS else FALLBACK


def say(key: str, language: str, **fields: object) -> str:
    """The sentence of a key with its fields filled in; raises KeyError on an unknown key or a missing field."""
    return TEXTS[spoken(language)][key].format(**fields)


def day_text(day: date, language: str) -> str:
    """A day with its weekday: "Wednesday 11 November", "Mittwoch, 11. November", "miércoles 11 de noviembre"."""
    language = spoken(language)
    weekday, month = WEEKDAYS[language][day.weekday()], MONTHS[language][day.month - 1]
    forms = {"de": f"{weekday}, {day.day}. {month}", "es": f"{weekday} {day.day} de {month}"}
    return forms.get(language, f"{weekday} {day.day} {month}")


def money(cents: int, language: str) -> str:
    """An amount of euro: "€81.90" in English, "81,90 €" elsewhere."""
    amount = f"{cents // CENTS}.{cents % CENTS:02d}"
    return f"€{amount}" if spoken(language) == "en" else f"{amount.replace('.', ',')} €"


def people_text(people: int, language: str) -> str:
    """For how many, as the end of a sentence; nothing while the number was not told."""
    if not people:
        return ""
    return say("for_people", language, count=people) if people > 1 else say("for_one", language)


def order_text(order: Mapping[str, Any], language: str) -> str:
    """How an order stands: its state, what is expected, and how to follow it."""
    language = spoken(language)
    details, status = DETAILS[language], str(order["status"])
    delivered = _day(order.get("delivered_on"), language)
    fields = {
        "order": order["number"],
        "status": status,
        "total": money(int(order["total_cents"]), language),
        "delivered": details["delivered"].format(day=delivered) if delivered else "",
    }
    sentences = [STATES.get(status, {}).get(language, details["other"]).format(**fields)]
    expected = _day(order.get("expected_on"), language)
    if expected and not delivered and status in {"shipped", "packed", "received"}:
        sentences.append(details["expected" if status == "shipped" else "dispatch"].format(day=expected))
    if order.get("tracking") and not delivered:
        sentences.append(details["tracking"].format(carrier=order["carrier"], tracking=order["tracking"]))
    if order.get("note") and language == FALLBACK:
        sentences.append(str(order["note"]))
    return " ".join(sentences)


def _day(value: object, language: str) -> str:
    return day_text(date.fromisoformat(str(value)), language) if value else ""


def choices(slots: Sequence[tuple[str, str]], language: str) -> str:
    """A numbered list of (date, time) pairs, one a line, that the planner can read back."""
    return "\n".join(f"{number}. {slot_text(day, time, language)}" for number, (day, time) in enumerate(slots, 1))


def slot_text(day: str, time: str, language: str) -> str:
    """One free slot as it stands on a button: "Wednesday 11 November, 10:30"."""
    return f"{day_text(date.fromisoformat(day), language)}, {time}"


def service_names(services: Sequence[Service], language: str) -> str:
    """What can be booked, joined for a sentence."""
    return ", ".join(service.name(language) for service in services)


def ask_booking(missing: Sequence[str], slots: Mapping[str, Any], vocabulary: Vocabulary, language: str) -> str:
    """The question for the first open part of a booking."""
    service = vocabulary.service(str(slots.get("service", "")))
    name = service.name(language) if service else ""
    if "service" in missing:
        return say("ask_service", language, services=service_names(vocabulary.services, language))
    if "date" in missing and slots.get("time"):
        return say("ask_day", language, service=name, time=slots["time"])
    if "date" in missing:
        return say("ask_date", language, service=name) if name else say("ask_date_any", language)
    if "time" in missing:
        day, starts = _day(slots["date"], language), ", ".join(vocabulary.starts(service.id if service else ""))
        return say("ask_time", language, day=day, starts=starts) if starts else say("ask_time_any", language, day=day)
    return say({"name": "ask_name", "contact": "ask_reach"}.get(" ".join(missing), "ask_contact"), language)


def confirm_booking(slots: Mapping[str, Any], vocabulary: Vocabulary, language: str) -> str:
    """The question that a yes to binds the booking: service, day, time and people in full."""
    service = vocabulary.service(str(slots["service"]))
    name = service.name(language) if service else str(slots["service"])
    day, people = _day(slots["date"], language), people_text(int(slots.get("people") or 0), language)
    return say("confirm_booking", language, service=name, day=day, time=slots["time"], people=people)
