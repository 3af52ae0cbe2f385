"""A slot is booked once, a call is booked once, and whoever is late gets choices: on both kinds of database."""

from __future__ import annotations

import asyncio

from server.tools.builtin.appointments import BookAppointment, services
from tests.server.tools.shopfront import Front, counted

VISIT = {"service": "workshop_visit", "date": "2026-11-11", "time": "10:30"}


async def test_a_repeat_of_the_call_is_the_same_booking_whatever_it_proposes(front: Front) -> None:
    talk = front.talk(customer="C-004")
    first = await talk.run("book_appointment", VISIT | {"people": 2}, key="k1")
    again = await talk.run(
        "book_appointment", {"service": "showroom_consultation", "date": "2026-11-12", "time": "13:00"}, key="k1"
    )
    assert first == again
    assert first.data["outcome"] == "booked"
    assert await counted(front.shop, "bookings") == 17
    assert first.say.startswith(
        "Booked: Workshop visit on Wednesday 11 November at 10:30 for 2 people, The Old Creamery"
    )
    assert first.say.endswith("Price: €24.00.")


async def test_of_two_customers_at_once_one_wins_and_the_other_gets_alternatives(front: Front) -> None:
    pairs = [(front.talk("c1", "C-004"), "a"), (front.talk("c2", "C-001"), "b")]
    results = await asyncio.gather(*(talk.run("book_appointment", VISIT, key=key) for talk, key in pairs))
    assert sorted(result.data["outcome"] for result in results) == ["alternatives", "booked"]
    late = next(result for result in results if not result.ok)
    assert 1 <= len(late.data["alternatives"]) <= 3
    assert {"date": VISIT["date"], "time": VISIT["time"]} not in late.data["alternatives"]
    assert await counted(front.shop, "bookings") == 17


async def test_a_crowd_never_gets_a_slot_twice(front: Front) -> None:
    talk = front.talk(customer="C-004")
    people = {"name": "X", "contact": "x@mail.example"}
    calls = [front.talk("c2").run("book_appointment", VISIT | people, key=f"k{number}") for number in range(12)]
    results = await asyncio.gather(talk.run("book_appointment", VISIT, key="own"), *calls)
    assert sum(result.ok for result in results) == 1
    assert await counted(front.shop, "bookings") == 17


async def test_only_free_slots_ahead_can_be_booked(front: Front) -> None:
    talk = front.talk(customer="C-004")
    for wish in (
        VISIT | {"date": "2026-11-04"},  # taken
        VISIT | {"date": "2026-11-12"},  # no workshop on Thursdays
        VISIT | {"time": "11:00"},
        VISIT | {"date": "2027-02-31"},  # no such day
        VISIT | {"date": "2026-10-28"},
    ):
        assert (await talk.run("book_appointment", wish)).data["outcome"] == "alternatives"
    front.clock.now_s += 9 * 86_400 + 5_400  # the slot itself begins now
    result = await talk.run("book_appointment", VISIT)
    assert result.data["outcome"] == "alternatives"
    assert all(choice["date"] > "2026-11-11" for choice in result.data["alternatives"])
    assert await counted(front.shop, "bookings") == 16


async def test_alternatives_are_the_nearest_free_ones_and_can_be_chosen_by_number(front: Front) -> None:
    talk = front.talk(customer="C-004")
    await talk.say("book the workshop on 4 November at 10:30")
    await talk.say("yes")
    assert talk.said[-1] == (
        "That time is not free. Free times for the Workshop visit:\n1. Wednesday 4 November, 14:30\n"
        "2. Wednesday 11 November, 10:30\n3. Friday 13 November, 14:30\nWhich one would you like?"
    )
    assert talk.results[-1].replies[0] == "Wednesday 4 November, 14:30"
    await talk.say("the second one please")
    assert talk.said[-1] == "Workshop visit on Wednesday 11 November at 10:30. Shall I book this?"
    await talk.say("yes")
    assert talk.outcome == "booked"


async def test_a_preview_tells_before_anybody_confirms(front: Front) -> None:
    tool, caller = front.kit.tools["book_appointment"], front.talk(customer="C-004").caller
    assert isinstance(tool, BookAppointment)
    assert await tool.preview(VISIT, caller) is None
    taken = await tool.preview(VISIT | {"date": "2026-11-04"}, caller)
    assert taken is not None
    assert taken.data["outcome"] == "alternatives"
    assert await counted(front.shop, "bookings") == 16


async def test_what_is_on_file_wins_over_what_arguments_say(front: Front) -> None:
    talk = front.talk(customer="C-004")
    await talk.run("book_appointment", VISIT | {"name": "Mallory", "contact": "mallory@mail.example"}, key="k")
    [row] = await front.shop.rows("select name, contact from bookings where idempotency_key = ?", "k")
    assert (row["name"], row["contact"]) == ("Eoin Murphy", "eoin.murphy@mail.example")


async def test_somebody_unknown_is_asked_for_name_and_contact(front: Front) -> None:
    talk = front.talk()
    assert (await talk.run("book_appointment", VISIT)).data["ask"] == "contact"
    result = await talk.run("book_appointment", VISIT | {"name": "Bo Li", "contact": "bo@mail.example"})
    assert result.data["outcome"] == "booked"


async def test_no_more_people_than_fit(front: Front) -> None:
    result = await front.talk(customer="C-004").run("book_appointment", VISIT | {"people": 7})
    assert (result.ok, result.data["ask"]) == (False, "people")
    assert "At most 6" in result.say


async def test_the_vocabulary_comes_from_the_database(front: Front) -> None:
    found = await services(front.shop, {"workshop_visit": "tour, kiln ", "workshop_visit.de": "Werkstattbesuch"})
    visit = next(service for service in found if service.id == "workshop_visit")
    assert (visit.words, visit.starts, visit.most_people) == (("tour", "kiln"), ("10:30", "14:30"), 6)
    assert (visit.name("de"), visit.name("fr")) == ("Werkstattbesuch", "Workshop visit")
