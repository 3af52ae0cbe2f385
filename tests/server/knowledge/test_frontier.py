from __future__ import annotations

import json
from typing import Any

from server.knowledge.frontier import MOST_NOTES, MOST_SHAPE, Entry, Journey, digest
from server.knowledge.links import Scope

HOME = "https://shop.example/"
SCOPE = Scope(HOME)


def journey(data: dict[str, Any] | None = None, *, mark: str = "m", pages: int = 1_000, depth: int = 3) -> Journey:
    return Journey({} if data is None else data, mark, max_pages=pages, max_depth=depth)


def begun(*known: str, listed: tuple[str, ...] = (), pages: int = 1_000) -> Journey:
    made = journey(pages=pages)
    made.begin(HOME, SCOPE, known, listed)
    return made


def walk(made: Journey) -> list[str]:
    found = []
    while entry := made.next():
        found.append(entry.url)
        made.done(entry, "fetched")
    return found


def test_everything_waits_once_and_in_order() -> None:
    made = begun(HOME + "k", listed=(HOME + "l", HOME + "k", "https://other.example/"))
    made.add(HOME + "a", 1)
    made.add(HOME + "a", 2)
    made.add(HOME + "deep", 4)
    assert walk(made) == [HOME, HOME + "k", HOME + "l", HOME + "a"]
    made.add(HOME + "a", 1)
    assert made.next() is None
    assert made.data["counts"] == {"fetched": 4}


def test_an_address_waits_until_it_is_done() -> None:
    made = begun()
    first = made.next()
    assert first == made.next() == Entry(HOME, 0, 0)
    made.add(HOME + "a", 1)
    assert first is not None
    made.later(first)
    assert made.next() == Entry(HOME + "a", 1, 0)
    assert made.data["queue"][-1] == [HOME, 0, 1]


def test_it_goes_through_json_and_on() -> None:
    made = begun()
    for number in range(5):
        made.add(f"{HOME}{number}", 1)
    entry = made.next()
    assert entry is not None
    made.done(entry, "fetched")
    made.first_body("a" * 64)
    made.choose(HOME + "c", 1)
    again = journey(json.loads(json.dumps(made.data)))
    assert not again.fresh
    assert not again.first_body("a" * 64)
    assert again.chosen(HOME + "c")
    again.add(HOME, 0)
    assert walk(again) == [f"{HOME}{number}" for number in range(5)] + [HOME + "c"]


def test_a_finished_run_leaves_its_depths_to_the_next() -> None:
    made = begun()
    made.add(HOME + "a", 2)
    walk(made)
    made.finish()
    following = journey(made.data)
    assert following.fresh
    assert made.data["done"]  # nothing is lost before the next run really begins
    following.begin(HOME, SCOPE, [HOME + "a", HOME + "b"], [])
    assert following.data["queue"] == [[HOME, 0, 0], [HOME + "a", 2, 0], [HOME + "b", 1, 0]]


def test_another_site_or_version_starts_anew() -> None:
    made = begun()
    assert journey(dict(made.data), mark="other").fresh
    assert journey(dict(made.data) | {"version": 0}).fresh
    assert not journey(dict(made.data)).fresh


def test_families_are_bounded_unless_the_site_vouches() -> None:
    made = begun(listed=tuple(f"{HOME}l/2026/{n}" for n in range(MOST_SHAPE + 50)))
    for number in range(MOST_SHAPE + 50):
        made.add(f"{HOME}calendar/2026/{number}", 1)
    assert len(made.data["queue"]) == 1 + (MOST_SHAPE + 50) + MOST_SHAPE
    assert made.data["counts"] == {"endless": 50}
    assert len(made.data["notes"]) == 1


def test_what_waits_is_bounded() -> None:
    made = begun(pages=10)
    for number in range(100):
        made.add(f"{HOME}{number}", 1)
    assert len(made.data["queue"]) == 20
    assert "more links" in made.data["notes"][0]
    made.finish("enough")
    assert made.data["queue"] == []
    for number in range(100):
        made.note(str(number))
    assert len(made.data["notes"]) == MOST_NOTES


def test_digests_are_short_and_steady() -> None:
    assert digest(HOME) == digest(HOME)
    assert len(digest(HOME)) == 16
    assert digest(HOME) != digest(HOME + "a")
