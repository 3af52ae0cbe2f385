"""Appointments in the shop's slots: a slot is booked once, a call is booked once, and whoever is late gets choices.

The unique ``bookings.slot_id`` refuses a second booking of a slot and the unique ``bookings.idempotency_key`` a second
run of the same call, in one statement; only slots that exist, are free and lie ahead can be booked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from models.chat import ToolSpec
from server.tools.builtin.orders import Orders
from server.tools.builtin.shop import Row, Shop, Value
from server.tools.contract import Caller, Policy, Result
from server.tools.replies import choices, day_text, money, people_text, say, service_names, slot_text
from server.tools.slots import Service, Vocabulary

ALTERNATIVES = 3
NAME_CHARACTERS = 120
DATE = r"^\d{4}-\d{2}-\d{2}$"
TIME = r"^([01]\d|2[0-3]):[0-5]\d$"

_BOOKED = (
    "select b.id, b.people, b.contact, b.slot_id, s.service_id, s.day, s.starts_at, v.place, v.price_cents "
    "from bookings b join slots s on s.id = b.slot_id join services v on v.id = s.service_id "
)
_BY_KEY = f"{_BOOKED} where b.idempotency_key = ?"
_BY_SLOT = f"{_BOOKED} where s.service_id = ? and s.day = ? and s.starts_at = ? and b.contact = ?"
_BOOK = (
    "insert into bookings (id, slot_id, name, contact, people, booked_on, idempotency_key) "
    "select cast(? as text), s.id, cast(? as text), cast(? as text), cast(? as integer), cast(? as text), "
    "cast(? as text) from slots s where s.service_id = ? and s.day = ? and s.starts_at = ? "
    "and s.day || ' ' || s.starts_at > ? on conflict do nothing returning id"
)
_FREE = (
    "select s.day, s.starts_at from slots s where s.service_id = ? and s.day || ' ' || s.starts_at > ? "
    "and not exists (select 1 from bookings b where b.slot_id = s.id) order by s.day, s.starts_at"
)
_SERVICES = "select id, name, most_people from services order by id"
_STARTS = "select distinct service_id, starts_at from slots order by service_id, starts_at"


async def services(shop: Shop, words: Mapping[str, object]) -> tuple[Service, ...]:
    """What the shop offers; ``words`` has for a service's id the words customers use, for ``id.de`` its German name."""
    starts: dict[str, list[str]] = {}
    for row in await shop.rows(_STARTS):
        starts.setdefault(row["service_id"], []).append(row["starts_at"])
    found = []
    for row in await shop.rows(_SERVICES):
        service = str(row["id"])
        names = [("en", str(row["name"]))]
        names += [(key.partition(".")[2], str(name)) for key, name in words.items() if key.startswith(f"{service}.")]
        spoken = tuple(word.strip() for word in str(words.get(service, "")).split(",") if word.strip())
        found.append(Service(service, tuple(names), spoken, tuple(starts.get(service, ())), int(row["most_people"])))
    return tuple(found)


class BookAppointment:
    """The tool ``book_appointment``; ``now`` gives the present in the shop's time zone."""

    def __init__(self, shop: Shop, orders: Orders, vocabulary: Vocabulary, now: Callable[[], datetime]) -> None:
        self._shop = shop
        self._orders = orders
        self._vocabulary = vocabulary
        self._now = now
        self.policy = Policy(effect="write", confirm=True, per_hour=20)
        known = [service.id for service in vocabulary.services]
        self.spec = ToolSpec(
            "book_appointment",
            "Book a free slot for the customer, after they said yes to service, date and time.",
            {
                "type": "object",
                "properties": {
                    "service": {"type": "string", **({"enum": known} if known else {})},
                    "date": {"type": "string", "pattern": DATE, "description": "YYYY-MM-DD"},
                    "time": {"type": "string", "pattern": TIME, "description": "HH:MM, 24 hours"},
                    "people": {"type": "integer", "minimum": 1, "maximum": 60},
                    "name": {"type": "string", "maxLength": NAME_CHARACTERS},
                    "contact": {"type": "string", "maxLength": 254, "description": "E-mail address or phone number."},
                },
                "required": ["service", "date", "time"],
                "additionalProperties": False,
            },
        )

    async def preview(self, arguments: Mapping[str, Any], caller: Caller) -> Result | None:
        """What stands against a booking now, so that nobody is asked to confirm it; None when nothing does."""
        if refused := self._refused(arguments, caller):
            return refused
        wanted = (str(arguments["date"]), str(arguments["time"]))
        if wanted in await self._free(str(arguments["service"])):
            return None
        return await self._alternatives(arguments, caller)

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Book the slot, say what was booked by this key before, or name free times."""
        if found := await self._shop.rows(_BY_KEY, key):
            return self._told(found[0], caller)
        if refused := self._refused(arguments, caller):
            return refused
        name, contact = await self._person(arguments, caller)
        slot = (str(arguments["service"]), str(arguments["date"]), str(arguments["time"]))
        number = f"B-{hashlib.sha256(key.encode()).hexdigest()[:8].upper()}"
        today = self._now().date().isoformat()
        people = int(arguments.get("people") or 1)
        await self._shop.change(_BOOK, number, name, contact, people, today, key, *slot, self._present())
        if found := await self._shop.rows(_BY_KEY, key):
            return self._told(found[0], caller)
        if caller.verified and (found := await self._shop.rows(_BY_SLOT, *slot, contact)):
            return self._told(found[0], caller)  # the customer's own booking of this very slot, made by another call
        return await self._alternatives(arguments, caller)

    async def _person(self, arguments: Mapping[str, Any], caller: Caller) -> tuple[str, str]:
        """Name and contact: what is on file for a proven customer, never what arguments say instead."""
        name, contact = (caller.name, caller.contact)
        if caller.verified and not (name and contact):
            name, contact = await self._orders.contact(caller.subject)
        if not caller.verified or not contact:
            name, contact = str(arguments.get("name") or caller.name), str(arguments.get("contact") or "")
        return name[:NAME_CHARACTERS], contact[:254]

    def _refused(self, arguments: Mapping[str, Any], caller: Caller) -> Result | None:
        """What no look into the slots is needed for."""
        language = caller.language
        service = self._vocabulary.service(str(arguments["service"]))
        if service is None:
            known = service_names(self._vocabulary.services, language)
            text = say("no_service", language, services=known)
            return Result({"outcome": "no such service", "ask": "service"}, text, ok=False)
        if not caller.verified and not (arguments.get("name") and arguments.get("contact")):
            text = say("ask_contact", language)
            return Result({"outcome": "contact missing", "ask": "contact"}, text, ok=False)
        if service.most_people and int(arguments.get("people") or 1) > service.most_people:
            text = say("too_many", language, service=service.name(language), most=service.most_people)
            return Result({"outcome": "too many people", "ask": "people"}, text, ok=False)
        return None

    def _present(self) -> str:
        return self._now().strftime("%Y-%m-%d %H:%M")

    async def _free(self, service: str) -> list[tuple[str, str]]:
        values: tuple[Value, ...] = (service, self._present())
        return [(row["day"], row["starts_at"]) for row in await self._shop.rows(_FREE, *values)]

    async def _alternatives(self, arguments: Mapping[str, Any], caller: Caller) -> Result:
        """Up to three free slots nearest to the wanted one, in order of time."""
        service = self._vocabulary.service(str(arguments["service"]))
        name = service.name(caller.language) if service else ""
        wanted, free = (
            _minutes(str(arguments["date"]), str(arguments["time"])),
            await self._free(str(arguments["service"])),
        )
        if not free:
            return Result({"outcome": "nothing free"}, say("no_slots", caller.language, service=name), ok=False)
        nearest = sorted(sorted(free, key=lambda slot: abs(_minutes(*slot) - wanted))[:ALTERNATIVES])
        listed = [{"date": day, "time": time} for day, time in nearest]
        return Result(
            {"outcome": "alternatives", "alternatives": listed, "ask": "time"},
            say("alternatives", caller.language, service=name, choices=choices(nearest, caller.language)),
            ok=False,
            replies=tuple(slot_text(day, time, caller.language) for day, time in nearest),
        )

    def _told(self, booking: Row, caller: Caller) -> Result:
        language = caller.language
        service = self._vocabulary.service(str(booking["service_id"]))
        cents = int(booking["price_cents"]) * int(booking["people"])
        price = (
            say("booked_price", language, price=money(cents, language)) if cents else say("free_of_charge", language)
        )
        text = say(
            "booked",
            language,
            service=service.name(language) if service else booking["service_id"],
            day=day_text(date.fromisoformat(booking["day"]), language),
            time=booking["starts_at"],
            people=people_text(int(booking["people"]), language),
            place=booking["place"],
            booking=booking["id"],
            price=price,
        )
        data = {
            "outcome": "booked",
            "booking": booking["id"],
            "service": booking["service_id"],
            "date": booking["day"],
            "time": booking["starts_at"],
            "people": booking["people"],
        }
        return Result(data, text)


def _minutes(day: str, time: str) -> float:
    """A slot on one scale, minutes; a day that does not exist counts as the first of its month."""
    if not re.match(DATE, day) or not re.match(TIME, time):
        return 0.0
    year, month, number = map(int, day.split("-"))
    try:
        moment = datetime(year, month, number)  # noqa: DTZ001 - only differences count
    except ValueError:
        moment = datetime(year, max(1, min(month, 12)), 1)  # noqa: DTZ001 - the same
    hours, minutes = map(int, time.split(":"))
    return moment.toordinal() * 1_440.0 + hours * 60 + minutes
