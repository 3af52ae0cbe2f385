"""The planner's part on appointments: fills service, day, time, people, name and contact over several turns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from server.tools.contract import Caller
from server.tools.plans import Ask, Call, NoPlan, Plan
from server.tools.replies import ask_booking, confirm_booking, day_text, say, slot_text
from server.tools.slots import Said, Vocabulary, offers, position, read_name

BOOK = "book_appointment"
REQUIRED = ("service", "date", "time")
SHORT_WORDS = 6  # "the second one please"; in a longer message "second" means something else


def plan_booking(said: Said, slots: dict[str, Any], caller: Caller, vocabulary: Vocabulary) -> Plan:
    """The call when everything is known, else the question for the first thing that is not."""
    clash = _merge(said, slots, vocabulary)
    missing = [name for name in REQUIRED if not slots.get(name)]
    if not caller.verified:
        missing += [name for name in ("name", "contact") if not slots.get(name)]
    language = caller.language
    if clash is not None:
        text = say("ask_clash", language, day=day_text(clash, language))
        return Ask(BOOK, text, slots, "date", tuple(missing))
    if missing:
        text = ask_booking(missing, slots, vocabulary, language)
        return Ask(BOOK, text, slots, missing[0], tuple(missing), _buttons(missing[0], slots, vocabulary, language))
    arguments = {name: value for name, value in slots.items() if value and not name.startswith("half")}
    summary = confirm_booking(slots, vocabulary, language)
    return Call(BOOK, arguments, slots, summary, (say("yes", language), say("no", language)))


def resume_booking(
    said: Said,
    question: str,
    slots: dict[str, Any],
    asked: str,
    history: Sequence[str],
    caller: Caller,
    vocabulary: Vocabulary,
    now: datetime,
) -> Plan:
    """Merge an answer into the slots kept so far; NoPlan when it tells nothing that was open."""
    chosen = _chosen(said, history, now.date())
    told = bool(said.when or said.people or said.services or chosen)
    if asked in {"name", "contact"}:
        told |= _person(said, question, slots)
    if asked == "people" and not said.people and (figure := said.text.strip(" .!")).isdigit():
        slots["people"], told = int(figure), True
    if asked == "time" and not said.when and (bare := said.text.strip(" .!")).isdigit():
        told |= _bare_hour(int(bare), slots, vocabulary)
    if not told:
        return NoPlan()
    if chosen:
        slots["date"], slots["time"] = chosen
        slots |= {"people": said.people} if said.people else {}
        said = Said(said.text)
    return plan_booking(said, slots, caller, vocabulary)


def _merge(said: Said, slots: dict[str, Any], vocabulary: Vocabulary) -> date | None:
    """Take over what was said; gives the day back when its weekday contradicts it."""
    if len(said.services) == 1:
        slots["service"] = said.services[0]
    starts = vocabulary.starts(str(slots.get("service", "")))
    if said.time is not None:
        slots["half"] = said.time.half
        slots["time"] = said.time.pick(starts)
    elif not slots.get("time") and slots.get("half"):  # "afternoon" was said before the service was known
        halves = [start for start in starts if (start >= "12:00") == (slots["half"] == "pm")]
        slots["time"] = halves[0] if len(halves) == 1 else ""
    if said.people:
        slots["people"] = said.people
    if said.email or said.phone:
        slots["contact"] = said.email or said.phone
    if said.day is not None and said.day.clash:
        slots.pop("date", None)
        return said.day.day
    if said.day is not None:
        slots["date"] = said.day.day.isoformat()
    for name in [name for name, value in slots.items() if not value]:
        del slots[name]
    return None


def _person(said: Said, question: str, slots: dict[str, Any]) -> bool:
    """Name and contact from the answer; whether there was one of them."""
    told = False
    if said.email or said.phone:
        slots["contact"], told = said.email or said.phone, True
    if name := read_name(question, only=True):
        slots["name"], told = name, True
    return told


def _bare_hour(hour: int, slots: dict[str, Any], vocabulary: Vocabulary) -> bool:
    """A lone "11" after the question for a time: the offered start with that hour, on a clock of 12 or 24."""
    starts = vocabulary.starts(str(slots.get("service", "")))
    found = next((start for start in starts if int(start[:2]) in {hour, hour + 12}), "")
    if found:
        slots["time"] = found
    return bool(found)


def _chosen(said: Said, history: Sequence[str], today: date) -> tuple[str, str] | None:
    """The free slot we listed that this answer means: by its number, or by what sets it apart from the others."""
    listed = offers(history[-1:], today)
    if not listed:
        return None
    if not said.when:
        place = position(said.text.strip(" .!")) if len(said.text.split()) <= SHORT_WORDS else None
        return listed[place] if place is not None and place < len(listed) else None
    fitting = [
        (day, time)
        for day, time in listed
        if (said.day is None or said.day.day.isoformat() == day)
        and (said.time is None or time in said.time.readings or time in said.time.fitting([time]))
    ]
    return fitting[0] if len(fitting) == 1 else None


def _buttons(asked: str, slots: Mapping[str, Any], vocabulary: Vocabulary, language: str) -> tuple[str, ...]:
    if asked == "service":
        return tuple(service.name(language) for service in vocabulary.services)
    if asked == "time":
        starts = vocabulary.starts(str(slots.get("service", "")))
        halves = [start for start in starts if slots.get("half") and (start >= "12:00") == (slots["half"] == "pm")]
        return tuple(slot_text(str(slots["date"]), start, language) for start in halves or starts)
    return ()
